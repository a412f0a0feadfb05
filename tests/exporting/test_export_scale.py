"""Networks that see images at a scale, exported: any size, with a certificate."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

import pixelwise
from pixelwise.bundle import load_bundle
from pixelwise.exporting.export import export
from tests.exporting.conftest import save_model

# None of these is a size that the export itself tries.
SIZES = [(1, 50, 61), (3, 111, 64), (2, 200, 37)]


def run(file, images):
    if file.suffix == ".onnx":
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return session.run(["class_ids", "logits"], {"images": images})
    return [output.numpy() for output in torch.export.load(file).module()(torch.from_numpy(images))]


@pytest.mark.parametrize(
    ("scale", "suffix", "backbone", "align_corners"),
    [
        (0.5, ".onnx", "resnet10t", False),
        (0.3, ".pt2", "resnet18", True),
        (1.5, ".onnx", "test_vit", False),  # which pads
    ],
)
def test_a_network_with_an_input_scale_is_exported_for_any_size(tmp_path, scale, suffix, backbone, align_corners):
    bundle = save_model(tmp_path / "model", "fcn", backbone, align_corners=align_corners, input_scale=scale)
    file = tmp_path / f"network{suffix}"
    export(bundle, file)
    certificate = json.loads((tmp_path / f"network{suffix}.json").read_text())
    assert certificate["model"]["input_scale"] == scale
    assert certificate["input"]["shape"] == ["batch", 3, "height", "width"]
    assert certificate["parity"]["equal_pixels"] > 0.9995
    predictor = pixelwise.load(bundle, device="cpu", precision="float32")
    assert load_bundle(bundle).settings.input_scale == scale
    for count, height, width in SIZES:
        pictures = np.random.default_rng(height).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        class_ids, logits = run(file, np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        assert class_ids.shape == (count, height, width)
        for i, picture in enumerate(pictures):
            expected = predictor.predict(picture, probabilities=True)
            exponents = np.exp(logits[i] - logits[i].max(axis=0))
            np.testing.assert_allclose(exponents / exponents.sum(axis=0), expected.probabilities, rtol=0, atol=1e-4)
            assert np.mean(class_ids[i] == expected.class_ids) > 0.9995
