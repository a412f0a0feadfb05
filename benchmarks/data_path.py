"""What real data costs: a real epoch against the same steps on ready tensors, with our default settings.

    python benchmarks/data_path.py DATASET

The training images are cut into segments of some steps. Each segment is trained on as the loop does it, its
files decoded for the first time and its threads started anew, and once more on the very same batches, kept ready
in memory. Real and ready take turns in going first. The ratio of the sums should be at most 1.05.
"""

import argparse
import time
from pathlib import Path

from machine import facts

from pixelwise.data.batches import TrainingBatches
from pixelwise.data.dataset.pairs import find_pairs, open_dataset
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import started
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.step import train_step


def seconds_of(learner, batches, state):
    begin = time.perf_counter()
    for batch in batches:
        train_step(learner, batch, state)
    return time.perf_counter() - begin


def segments_of(pairs, labels, settings, *, steps):
    """One set of batches per segment; each is a small epoch of its own whose files nobody has read yet."""
    size = steps * settings.mini_batch_size
    starts = range(0, max(1, len(pairs) - size + 1), size)
    return [TrainingBatches(pairs[first : first + size], labels, settings) for first in starts]


def measure(learner, segments):
    """(real, ready) seconds of each segment."""
    state, rows = TrainingState(), []
    seconds_of(learner, list(segments[0].of_epoch(1))[:2], state)  # warm up on another epoch's crops
    for number, segment in enumerate(segments[1:], 1):
        # The same batches a second time come from an equal, untouched object: its files are decoded again.
        ready_first = number % 2 == 0
        ready = list(TrainingBatches(segment.pairs, segment.labels, segment.settings).of_epoch(0))
        before = seconds_of(learner, ready, state) if ready_first else 0.0
        real = seconds_of(learner, segment.of_epoch(0), state)
        rows.append((real, before or seconds_of(learner, ready, state)))
        print(f"segment {number}: real {real:.2f} s, ready {rows[-1][1]:.2f} s", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=9, help="steps in a segment")
    arguments = parser.parse_args()

    dataset = open_dataset(arguments.dataset, required=("train", "train_annotation"))
    split = dataset.splits["train"]
    pairs, faults = find_pairs(split.images, split.masks)
    if faults or dataset.classes_file is None:
        parser.error("the dataset needs a classes.json and no faults; see pixelwise check")
    labels = LabelTable.read(dataset.classes_file)
    settings = Settings(pretrained=False, num_classes=labels.num_classes)
    segments = segments_of(pairs, labels, settings, steps=arguments.steps)
    if len(segments) < 2:
        parser.error(f"{len(pairs)} images are too few for two segments; lower --steps")
    with started() as runtime:
        print(f"{facts()}; {runtime.describe()}; crop {settings.crop_size}, batch {settings.mini_batch_size}")
        model = build_segmenter(settings, labels.num_classes).train()
        learner = Learner(model, build_criterion(settings, None), settings, runtime)
        rows = measure(learner, segments)
    real, ready = (sum(column) for column in zip(*rows, strict=True))
    print(f"real {real:.1f} s, ready {ready:.1f} s: ratio {real / ready:.3f} (aim: at most 1.05)")


if __name__ == "__main__":
    main()
