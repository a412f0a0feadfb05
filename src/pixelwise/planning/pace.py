"""How fast this machine trains this network: measured on a step, not guessed."""

import dataclasses
import math
import time

import numpy as np
import torch

from pixelwise.data.bands import Bands
from pixelwise.data.batches import Batch
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.step import train_step

_IMAGES = 2  # the fewest that BatchNorm learns from; a step's time grows with its pixels


def measured_pace(settings: Settings, num_classes: int, bands: Bands, runtime: Runtime) -> float:
    """Seconds for a pixel of a training crop, by the second of two steps on noise; the first warms the machine up.

    Decoding and augmenting run in threads beside the steps and are not in it. Random numbers are left as they were.
    """
    # In one process: a group would wait for its slowest member, and every process has its own share of the batch.
    own = dataclasses.replace(runtime, rank=0, world_size=1)
    quick = settings.changed(
        class_weights="none", mini_batch_size=_IMAGES, pretrained=False, backbone_weights=None, freeze="none"
    )
    devices = [runtime.device] if runtime.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        model = build_segmenter(quick, num_classes, load_weights=False, bands=bands)
        learner = Learner(model.train(), build_criterion(quick, None), quick, own)
        began = 0.0
        for _ in range(2):
            _wait(runtime)
            began = time.monotonic()
            train_step(learner, _noise(quick, num_classes, bands), TrainingState())
            _wait(runtime)
        seconds = max(time.monotonic() - began, 1e-6)  # clocks of some systems are coarse
    return runtime.from_main(seconds / (_IMAGES * quick.crop_size**2))[0]


def steps_within(seconds: float, settings: Settings, pace: float, *, processes: int = 1) -> int:
    """How many steps of `settings` fit into `seconds` at `pace` seconds a pixel."""
    pixels = math.ceil(settings.mini_batch_size / processes) * settings.crop_size**2
    return int(seconds / (pace * pixels))


def _noise(settings: Settings, num_classes: int, bands: Bands) -> Batch:
    side = settings.crop_size
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (_IMAGES, bands.count, side, side)).astype(bands.depth)
    class_ids = generator.integers(0, num_classes, (_IMAGES, side, side), dtype=np.uint8)
    return Batch(torch.from_numpy(values), torch.from_numpy(class_ids))


def _wait(runtime: Runtime) -> None:
    if runtime.device.type == "cuda":
        torch.cuda.synchronize(runtime.device)
