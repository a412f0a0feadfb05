import io
import threading
import time
import types
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.inference.predictor import Predictor
from pixelwise.labels import LabelTable
from pixelwise.runtime import Runtime

LABELS = LabelTable.named(["dark", "bright"])

# Wider than high, bright at the upper left only.
PIXELS = np.zeros((16, 32), dtype=np.uint8)
PIXELS[:8, :8] = 255
EXPECTED = (PIXELS > 127).astype(np.uint8)


class Output(NamedTuple):
    main: torch.Tensor


class Brightness(nn.Module):
    """Class 1 where the red channel is above 127; waits for the gate, notes its batches, fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.shapes, self.calls, self.failing = [], 0, None

    def forward(self, images):
        self.calls += 1
        assert self.gate.wait(30)
        if self.failing is not None:
            self.failing(images)
        self.shapes.append(tuple(images.shape))
        red = images[:, :1].float() - 127.5
        return Output(torch.cat([-red, red], dim=1))


@pytest.fixture
def network():
    network = Brightness()
    yield network
    network.gate.set()


@pytest.fixture
def predictor(network):
    bundle = types.SimpleNamespace(labels=LABELS, bands=PHOTOGRAPH, temperature=1.0, build_model=network.eval)
    return Predictor(bundle, Runtime(torch.device("cpu"), torch.float32))


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never"
        time.sleep(0.005)
