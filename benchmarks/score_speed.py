"""What scoring costs: `score` on two folders of masks against torchmetrics and against merely decoding the files.

    python benchmarks/score_speed.py [--masks 200] [--peer-masks 24] [--rounds 5]

The masks are drawn here: 2048 x 1024 px, 19 classes, regions as in a street with the outlines of a prediction
displaced and frayed; a few different ones, linked under as many names as asked for. `score` and decoding (Pillow's
load() of both masks, in as many threads as `score` uses) take turns in going first. torchmetrics' MeanIoU does what
its user writes, decoding, tensors, update, on the first masks only, and is counted per mask: it is slow. Both must
give the same mean over image and class pairs. Then the matrix alone, in one thread of one core, and the peak memory
of fresh processes that score few masks and all of them. Aims: at least 25 times as fast as torchmetrics,
at most 1.5 times decoding, 300 Mpixel/s or more for the matrix, no growth of memory.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from machine import facts
from PIL import Image, ImageDraw

from pixelwise.scoring.confusion import joint_counts
from pixelwise.scoring.folders import score_folders

WIDTH, HEIGHT, NUM_CLASSES = 2048, 1024, 19
DIFFERENT = 8
WORKERS = min(16, os.cpu_count() or 1)  # as score_folders has it


def draw_truth(random):
    """A street: sky, ground, houses on both, and many things before them; outlines are polygons and ellipses."""
    image = Image.new("L", (WIDTH, HEIGHT), 10)
    pen = ImageDraw.Draw(image)
    horizon = int(random.integers(400, 560))
    pen.rectangle((0, horizon, WIDTH, HEIGHT), fill=0)
    for _ in range(25):
        left, width, top = random.integers(-100, WIDTH), random.integers(60, 400), random.integers(50, horizon)
        pen.rectangle((left, top, left + width, horizon + 40), fill=int(random.integers(2, 5)))
    for _ in range(90):
        x, y = random.integers(0, WIDTH), random.integers(200, HEIGHT)
        angles = np.sort(random.uniform(0, 2 * np.pi, 14))
        radii = random.uniform(0.5, 1, 14) * random.gamma(2, 28)
        points = np.stack([x + radii * np.cos(angles) * random.uniform(0.2, 2), y + radii * np.sin(angles)], axis=1)
        pen.polygon([tuple(point) for point in points], fill=int(random.integers(0, NUM_CLASSES)))
    return np.array(image)


def distort(truth, random):
    """A prediction: outlines displaced by up to some ten pixels and frayed by one, some regions of another class."""
    displaced = []
    for places in (np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None]):
        coarse = Image.fromarray(random.normal(0, 5, (32, 64)).astype(np.float32))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        frayed = places + smooth + random.normal(0, 0.4, truth.shape)
        displaced.append(frayed.round().clip(0, places.size - 1).astype(np.int64))
    predicted = truth[displaced[0], displaced[1]]
    for _ in range(12):
        x, y = random.integers(0, WIDTH - 200), random.integers(0, HEIGHT - 100)
        predicted[y : y + random.integers(10, 100), x : x + random.integers(10, 200)] = random.integers(0, NUM_CLASSES)
    return predicted


def make_masks(root, num_masks):
    """`root`/truth and `root`/predicted with `num_masks` PNG files each."""
    for name in ("truth", "predicted"):
        (root / name).mkdir(parents=True)
    for i in range(num_masks):
        paths = [root / name / f"{i:05d}.png" for name in ("truth", "predicted")]
        if i < DIFFERENT:
            random = np.random.default_rng(i)
            truth = draw_truth(random)
            for path, mask in zip(paths, (truth, distort(truth, random)), strict=True):
                Image.fromarray(mask).save(path)
        else:
            for path in paths:
                os.link(path.with_stem(f"{i % DIFFERENT:05d}"), path)


def score(root):
    return score_folders(root / "truth", root / "predicted", num_classes=NUM_CLASSES)


def decode(root):
    def load(path):
        with Image.open(path) as mask:
            mask.load()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(load, [path for name in ("truth", "predicted") for path in sorted((root / name).iterdir())]))


def torchmetrics(root, num_masks):
    """(seconds, its mean IoU) of the first masks."""
    import torch
    from torchmetrics.segmentation import MeanIoU

    begin = time.perf_counter()
    metric = MeanIoU(num_classes=NUM_CLASSES, input_format="index")
    for path in sorted((root / "truth").iterdir())[:num_masks]:
        truth, predicted = (
            torch.from_numpy(np.array(Image.open(file))).long()[None] for file in (path, root / "predicted" / path.name)
        )
        metric.update(predicted, truth)
    return time.perf_counter() - begin, metric.compute().item()


def seconds_of(work, *arguments):
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def matrix_speeds(root):
    """Mpixel/s of one core: of the matrix alone on these masks and on noise, and of np.bincount on these masks."""
    names = [f"{i:05d}.png" for i in range(DIFFERENT)]
    pairs = [[np.array(Image.open(root / side / name)) for side in ("truth", "predicted")] for name in names]
    noise = np.random.default_rng(0).integers(0, NUM_CLASSES, (2, 2, HEIGHT, WIDTH), dtype=np.uint8)

    def bincount(truth, predicted):
        return np.bincount((truth.astype(np.int64) * NUM_CLASSES + predicted).ravel(), minlength=NUM_CLASSES**2)

    def speed(count, masks):
        times = []
        for _ in range(5):
            begin = time.process_time()
            for truth, predicted in masks:
                count(truth, predicted)
            times.append(time.process_time() - begin)
        return len(masks) * WIDTH * HEIGHT / min(times) / 1e6

    return speed(joint_counts, pairs), speed(joint_counts, noise), speed(bincount, pairs)


def memory_of(num_masks):
    """Peak MB of a process that scores so many masks."""
    # Drawn by another process: on Linux a process begins with the peak of the one that started it.
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "--masks", str(num_masks), "--draw", folder], check=True)
        command = [sys.executable, __file__, "--alone", folder]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return int(answer) / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KB


def measure(root, arguments):
    """Print the ratios of `score` to decoding and to torchmetrics."""
    rows = []
    for number in range(arguments.rounds + 1):
        works = [score, decode] if number % 2 else [decode, score]
        taken = {work: seconds_of(work, root) for work in works}
        if number:  # one round that nobody counts
            rows.append((taken[score], taken[decode]))
            print(f"round {number}: score {rows[-1][0]:.2f} s, decoding {rows[-1][1]:.2f} s", flush=True)
    ours, decoding = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    print(f"{arguments.masks} pairs: score {ours:.2f} s, decoding {decoding:.2f} s", end=": ")
    print(f"ratio {ours / decoding:.2f} (aim: at most 1.50)")
    peer, its_mean = torchmetrics(root, arguments.peer_masks)
    our_mean = score(root).other_definitions["mean_over_image_class_pairs"]
    ratio = peer / arguments.peer_masks / (ours / arguments.masks)
    print(f"torchmetrics' MeanIoU: {peer:.1f} s for {arguments.peer_masks} pairs", end=": ")
    print(f"score is {ratio:.0f} times as fast (aim: at least 25); {its_mean:.5f} there, {our_mean:.5f} here")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=int, default=200, help=f"a multiple of {DIFFERENT}")
    parser.add_argument(
        "--peer-masks", type=int, default=24, help=f"torchmetrics gets so many, a multiple of {DIFFERENT}"
    )
    parser.add_argument("--rounds", type=int, default=5)
    for step in ("--draw", "--alone"):  # for memory_of
        parser.add_argument(step, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.masks % DIFFERENT or arguments.peer_masks % DIFFERENT:
        parser.error(f"the numbers of masks must be multiples of {DIFFERENT}")
    if arguments.draw:
        make_masks(arguments.draw, arguments.masks)
        return
    if arguments.alone:
        score(arguments.alone)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return

    few, many = memory_of(DIFFERENT), memory_of(arguments.masks)
    print(f"{facts()}; {WORKERS} threads decode")
    with tempfile.TemporaryDirectory() as folder:
        make_masks(Path(folder), arguments.masks)
        measure(Path(folder), arguments)
        masks, noise, bincount = matrix_speeds(Path(folder))
    print(f"the matrix alone, one core: {masks:.0f} Mpixel/s (aim: at least 300), of noise {noise:.0f};", end=" ")
    print(f"np.bincount {bincount:.0f}")
    print(f"memory {few:.0f} MB at {DIFFERENT} pairs, {many:.0f} MB at {arguments.masks}", end=": ")
    print(f"ratio {many / few:.2f} (aim: no growth)")


if __name__ == "__main__":
    main()
