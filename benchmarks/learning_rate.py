"""Whether `learning_rate` under sgd means here what it means in GluonCV on MXNet, the engine inside Amazon's image.

    python benchmarks/learning_rate.py DATASET --mxnet-python mx/bin/python [--rates 0.01 0.1] [--steps 120]

Both engines train fcn on ResNet-50 with its auxiliary head from the same weights on the same batches with the same
hyperparameters under Amazon's names; ours through `to_settings`. First a few steps at a constant rate without
dropout, with unlabelled pixels, in float32: how far each group of weights moved here against there. Then a whole poly
schedule with dropout: the mIoU (Amazon's mean) that each engine reaches, and what ours would reach if it took the
number as PyTorch's rate. Weights of both are scored by our evaluation. How to make the interpreter for MXNet
stands in peers/gluoncv_speed.py.
"""

import argparse
import json
import math
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from machine import facts
from torch import nn

from pixelwise.data.batches import Batch, EvaluationBatches, TrainingBatches
from pixelwise.data.dataset.pairs import find_pairs, open_dataset
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import started
from pixelwise.sagemaker.artefact.names import our_name
from pixelwise.sagemaker.hyperparameters.parse import parse, to_settings
from pixelwise.scoring.validate import validate
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.optimizer import learning_rate_factor, set_learning_rate
from pixelwise.training.step import train_step

GLUONCV = Path(__file__).with_name("peers") / "gluoncv_sgd.py"
MOMENTUM, WEIGHT_DECAY, AUX_WEIGHT = 0.9, 1e-4, 0.5
COMPARED = (1, 5)  # the updates after which weights are compared
STATISTICS = ("mean", "std", "var", "tracked")  # how the names of what no gradient moves end


def hyperparameters(rate, arguments, num_classes, num_images):
    """hyperparameters.json of the job."""
    given = {
        "num_classes": num_classes,
        "num_training_samples": num_images,
        "mini_batch_size": arguments.batch,
        "crop_size": arguments.crop,
        "base_size": 256,
        "optimizer": "sgd",
        "learning_rate": rate,
        "momentum": MOMENTUM,
        "weight_decay": WEIGHT_DECAY,
        "precision_dtype": "float32",
    }
    return {name: str(value) for name, value in given.items()}


class Engine:
    """GluonCV under its own interpreter, in a folder of its own."""

    def __init__(self, python, folder, job):
        self.job, self._python, self._folder = job, python, folder
        self._write(**job)
        self.shapes = json.loads(self._run("names").splitlines()[-1])

    def train(self, batches, state, *, keep, **changes):
        """Losses, and weights under our names after each of the steps in `keep`."""
        self._write(**{**self.job, **changes, "keep": keep})
        np.save(self._folder / "images.npy", np.stack([batch.images.numpy() for batch in batches]))
        np.save(self._folder / "class_ids.npy", np.stack([batch.class_ids.numpy() for batch in batches]))
        np.savez(self._folder / "weights.npz", **{name: state[ours(name)].numpy() for name in self.shapes})
        self._run("train")
        found = [np.load(self._folder / f"step_{step}.npz") for step in keep]
        weights = [{ours(name): torch.from_numpy(arrays[name]) for name in arrays} for arrays in found]
        return np.load(self._folder / "losses.npy"), weights

    def _write(self, **job):
        (self._folder / "job.json").write_text(json.dumps(job))

    def _run(self, command):
        done = subprocess.run(
            [self._python, GLUONCV, command, self._folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{GLUONCV} failed:\n{done.stderr[-2000:]}")
        return done.stdout


def ours(name):
    """Our name of a parameter of GluonCV's FCN, the auxiliary head's too."""
    if name.startswith("auxlayer."):
        return our_name(name.replace("auxlayer.", "head.", 1), "fcn").replace("head.", "auxiliary.", 1)
    return our_name(name, "fcn")


def initial_weights(settings, num_classes, seed):
    """A network of ours whose trunk passes signals on as a trained one does."""
    torch.manual_seed(seed)
    model = build_segmenter(settings, num_classes, load_weights=False)
    for name, module in model.named_modules():
        if name.endswith("bn3") and isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.3)  # timm starts with 0: the block's other layers would not learn
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def with_holes(batches, seed):
    """The batches with a rectangle of unlabelled pixels in each mask, of another size in each."""
    generator = np.random.default_rng(seed)
    holed = []
    for images, class_ids in batches:
        masks = class_ids.clone()
        for mask in masks:
            rows, columns = (int(side * generator.uniform(0.2, 0.9)) for side in mask.shape)
            mask[:rows, :columns] = IGNORE
        holed.append(Batch(images, masks))
    return holed


class Ours:
    """Our training from given weights; `steps` is a loop over `train_step`, as `fit` runs it."""

    def __init__(self, settings, state, runtime, *, dropout=True, decay_all=False, exact=False):
        model = build_segmenter(settings, settings.num_classes, load_weights=False).train()
        model.load_state_dict(state)
        for module in model.modules():
            if isinstance(module, nn.Dropout) and not dropout:
                module.p = 0.0
        self.learner = Learner(model, build_criterion(settings, None), settings, runtime)
        for group in self.learner.optimizer.param_groups:
            group["weight_decay"] = settings.weight_decay if decay_all else group["weight_decay"]
        if exact:
            model.double()

    def train(self, batches, *, keep=(), is_constant=False):
        """Losses, and weights after each of the steps in `keep`."""
        state, losses, weights = TrainingState(), [], []
        for step, batch in enumerate(batches):
            factor = 1.0 if is_constant else learning_rate_factor(self.learner.settings, step / len(batches), 0)
            set_learning_rate(self.learner.optimizer, factor)
            losses.append(train_step(self.learner, batch, state))
            state.updates += 1
            if step + 1 in keep:
                weights.append({name: each.clone() for name, each in self.learner.model.state_dict().items()})
        return np.array(losses), weights


def group_of(name):
    part = {"backbone": "trunk", "head": "head", "auxiliary": "auxiliary head"}[name.split(".")[0]]
    leaf = "biases" if name.endswith("bias") else "weights"
    is_norm = re.search(r"(bn\d|reduce\.1|downsample\.1|conv1\.[14])\.", name)
    return f"{part}, {'norms' if is_norm else f'convolution {leaf}'}"


def compare(start_state, here, there):
    """Prints how far each group moved here against there: the factor that fits best, and what remains."""
    moved = {}
    for name, first in start_state.items():
        if name in there and not name.endswith(STATISTICS):
            mine, theirs = (after[name].double() - first for after in (here, there))
            moved.setdefault(group_of(name), []).append((mine.flatten(), theirs.flatten()))
    for group, pairs in sorted(moved.items()):
        mine, theirs = (torch.cat(column) for column in zip(*pairs, strict=True))
        factor = float(mine @ theirs / (theirs @ theirs))
        distance = float((mine - theirs).norm() / theirs.norm())
        print(f"    {group:<38} moved {factor:7.4f} times as far, relative difference {distance:.1e}", flush=True)


def compare_steps(engine, settings, batches, state, runtime):
    holed = with_holes(batches[: max(COMPARED)], seed=1)
    exact = settings.changed(ema_decay=0.0, gradient_clipping=0.0, align_corners=True)
    losses, there = engine.train(holed, state, keep=COMPARED, dropout=False, lr_scheduler="constant")
    print(f"  losses there: {rounded(losses)}")
    readings = {
        "to_settings": (exact, False),
        "with half the auxiliary loss": (exact.changed(aux_loss_weight=0.5), False),
        "to_settings, norms and biases decayed too": (exact, True),
    }
    for reading, (chosen, decay_all) in readings.items():
        learner = Ours(chosen, state, runtime, dropout=False, decay_all=decay_all)
        losses, here = learner.train(holed, keep=COMPARED, is_constant=True)
        print(f"  {reading}; losses here: {rounded(losses)}")
        compare_after_each(state, here, there)
    # How far rounding alone leads: a ReLU that flips changes a gradient by more than the last digit.
    _, yardstick = Ours(chosen, state, runtime, dropout=False, decay_all=decay_all, exact=True).train(
        holed, keep=COMPARED, is_constant=True
    )
    print("  the last one against the same in float64: what rounding alone does")
    compare_after_each(state, here, yardstick)


def compare_after_each(state, here, there):
    for step, mine, theirs in zip(COMPARED, here, there, strict=True):
        print(f"   after {step} updates")
        compare(state, mine, theirs)


def rounded(values):
    return " ".join(f"{value:.4f}" for value in values)


def readings_of(settings, rate):
    """What is compared with the real engine, by name."""
    plain = settings.changed(ema_decay=0.0, gradient_clipping=0.0)
    literal = {"learning_rate": rate, "pretrained_learning_rate_factor": 1.0, "weight_decay": WEIGHT_DECAY}
    return {
        "ours, to_settings": settings,
        "ours, averaging and clipping off": plain,
        "ours, off and half the auxiliary loss": plain.changed(aux_loss_weight=0.5),
        "ours, the number as PyTorch's rate": settings.changed(**literal),
        "ours, the number as PyTorch's, off": plain.changed(**literal),
    }


def report(name, losses, scores):
    fifths = [float(part.mean()) for part in np.array_split(losses, 5)]
    print(
        f"  {name:<36} mIoU {scores.mean_iou_absent_as_zero:.4f}, pixel accuracy {scores.pixel_accuracy:.4f}, "
        f"loss by fifths {rounded(fifths)}",
        flush=True,
    )


def compare_schedules(engine, settings, batches, state, scored, runtime, rate):
    losses, (weights,) = engine.train(batches, state, keep=[len(batches)], dropout=True, lr_scheduler="poly")
    network = build_segmenter(settings.changed(align_corners=True), settings.num_classes, load_weights=False)
    network.load_state_dict({**state, **weights})
    report("GluonCV on MXNet", losses, scored(network))
    for name, reading in readings_of(settings, rate).items():
        learner = Ours(reading, state, runtime)
        losses, _ = learner.train(batches)
        report(name, losses, scored(learner.learner.scored))


def open_split(dataset, name):
    split = dataset.splits[name]
    pairs, faults = find_pairs(split.images, split.masks)
    if faults:
        raise SystemExit(f"{name} has faults; see pixelwise check")
    return pairs


def drawn_batches(pairs, labels, settings, steps):
    """The first `steps` training batches, kept in memory."""
    source = TrainingBatches(pairs, labels, settings)
    epochs = math.ceil(steps / source.steps_per_epoch)
    return [Batch(*batch) for epoch in range(epochs) for batch in source.of_epoch(epoch)][:steps]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--mxnet-python", type=Path, required=True, help="interpreter that has mxnet and gluoncv")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.1])
    parser.add_argument("--steps", type=int, default=120, help="updates of the whole schedule; 0 leaves it out")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    dataset = open_dataset(arguments.dataset, required=("train", "train_annotation"))
    train, validation = (open_split(dataset, name) for name in ("train", "validation"))
    labels = LabelTable.read(dataset.classes_file)
    job = {"num_classes": labels.num_classes, "crop_size": arguments.crop, "optimizer": "sgd", "momentum": MOMENTUM}
    job |= {"weight_decay": WEIGHT_DECAY, "aux_weight": AUX_WEIGHT, "dropout": False, "keep": []}

    with started("cpu", "float32") as runtime, tempfile.TemporaryDirectory() as folder:
        print(f"{facts()}; crop {arguments.crop}, batch {arguments.batch}")
        engine = Engine(arguments.mxnet_python, Path(folder), job)

        def scored(model):
            batches = EvaluationBatches(validation, labels, crop_size=2 * arguments.crop)
            return validate(model, batches, labels=labels, runtime=runtime).scores

        for rate in arguments.rates:
            given = parse(hyperparameters(rate, arguments, labels.num_classes, len(train)))
            settings = to_settings(given, num_training_images=len(train)).changed(seed=arguments.seed)
            state = initial_weights(settings, labels.num_classes, arguments.seed)
            batches = drawn_batches(train, labels, settings, max(arguments.steps, *COMPARED))
            engine.job["learning_rate"] = rate
            print(f"learning_rate {rate:g}: ours is {settings.learning_rate:g} for heads")
            if rate == arguments.rates[0]:
                compare_steps(engine, settings, batches, state, runtime)
            if arguments.steps:
                compare_schedules(engine, settings, batches, state, scored, runtime, rate)


if __name__ == "__main__":
    main()
