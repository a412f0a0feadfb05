"""What is exported gives what the model gives, at any size, and nothing is written where it does not."""

import dataclasses
import functools
import hashlib
import json
import math
import shutil
import sys
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import pixelwise
from pixelwise.bundle import load_bundle, save_bundle
from pixelwise.errors import MissingExtra, ModelError, SettingsError
from pixelwise.exporting.export import export, parse_size
from pixelwise.exporting.formats import EXPORT_FORMATS
from pixelwise.exporting.graph import RegionPooling, deployed_graph, use_region_pooling
from pixelwise.exporting.parity import Parity, Trial
from pixelwise.menus import HEADS
from pixelwise.models.cpu.depthwise import DepthwiseConv2d
from pixelwise.models.cpu.dilated import DilatedConv2d
from tests.exporting.conftest import PRIOR, TEMPERATURE, save_model

# An export takes seconds: three of them, and whether corners are aligned; `pytest -m slow` tries the others.
NETWORKS = {"fcn": (True, ".pt2"), "psp": (True, ".onnx"), "deeplabv3plus": (False, ".onnx")}

# None of these is a size that the export itself tries.
SIZES = [(1, 50, 61), (3, 111, 64), (2, 200, 37)]


class Export(NamedTuple):
    bundle: object
    file: object
    certificate: dict


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    @functools.cache
    def make(algorithm):
        folder = tmp_path_factory.mktemp(algorithm)
        align_corners, suffix = NETWORKS[algorithm]
        bundle = save_model(folder / "model", algorithm, "resnet18", align_corners=align_corners)
        file = folder / f"network{suffix}"
        export(bundle, file)
        return Export(bundle, file, json.loads((folder / f"network{suffix}.json").read_text()))

    return make


def pictures(count, height, width):
    return np.random.default_rng(height).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def run_onnx(file, images):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(["class_ids", "logits"], {"images": images})


def run_program(file, images):
    class_ids, logits = torch.export.load(file).module()(torch.from_numpy(images))
    return class_ids.numpy(), logits.numpy()


def assert_gives_what_the_model_gives(found, bundle, images):
    class_ids, logits = found
    predictor = pixelwise.load(bundle, device="cpu", precision="float32")
    for i, image in enumerate(images):
        expected = predictor.predict(image, probabilities=True)
        exponents = np.exp(logits[i] - logits[i].max(axis=0))
        np.testing.assert_allclose(exponents / exponents.sum(axis=0), expected.probabilities, rtol=0, atol=1e-4)
        assert np.mean(class_ids[i] == expected.class_ids) > 0.9995
    assert class_ids.dtype == np.uint8
    assert len(np.unique(class_ids)) > 1


@pytest.mark.parametrize("algorithm", NETWORKS)
def test_a_file_gives_the_masks_and_probabilities_of_the_model_at_any_size(exported, algorithm):
    made = exported(algorithm)
    run = run_onnx if made.file.suffix == ".onnx" else run_program
    for size in SIZES:
        images = pictures(*size)
        found = run(made.file, np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        assert_gives_what_the_model_gives(found, made.bundle, images)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext"])  # the second needs multiples of 32
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("algorithm", HEADS)
def test_the_graph_that_is_traced_gives_what_the_network_gives(tmp_path, algorithm, align_corners, backbone):
    bundle = load_bundle(save_model(tmp_path / "model", algorithm, backbone, align_corners=align_corners))
    images = torch.from_numpy(pictures(2, 65, 43)).permute(0, 3, 1, 2)
    graph = deployed_graph(bundle)
    use_region_pooling(graph)
    with torch.no_grad():
        expected = bundle.build_model()(images).main / TEMPERATURE
        class_ids, logits = graph(images)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
    assert torch.equal(class_ids.long(), logits.argmax(dim=1))


def test_the_class_weights_that_the_model_undoes_are_undone_in_the_file(exported):
    made = exported("psp")
    images = pictures(1, 50, 61).transpose(0, 3, 1, 2)
    network = load_bundle(made.bundle).build_model()
    assert network.shift.tolist() == pytest.approx([-0.25 * math.log(0.5), -0.25 * math.log(4), 0])
    network.shift = None
    with torch.no_grad():
        plain = network(torch.from_numpy(images)).main.numpy()
    expected = (plain + PRIOR.shift().numpy()[:, None, None]) / TEMPERATURE
    np.testing.assert_allclose(run_onnx(made.file, np.ascontiguousarray(images))[1], expected, rtol=0, atol=1e-3)


def test_an_onnx_file_names_its_axes_and_classes_and_stands_alone(exported):
    made = exported("psp")
    model = onnx.load(made.file, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    sides = [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    facts = {fact.key: fact.value for fact in model.metadata_props}
    assert [each["name"] for each in json.loads(facts["classes"])] == ["road", "sky", "wall"]
    assert float(facts["temperature"]) == TEMPERATURE
    assert sorted(path.name for path in made.file.parent.iterdir()) == ["model", "network.onnx", "network.onnx.json"]


def test_the_certificate_says_what_was_proved_and_of_which_file(exported):
    made = exported("psp")
    paper, parity = made.certificate, made.certificate["parity"]
    assert paper["file"]["sha256"] == hashlib.sha256(made.file.read_bytes()).hexdigest()
    assert paper["file"]["bytes"] == made.file.stat().st_size
    assert paper["input"]["shape"] == ["batch", 3, "height", "width"]
    assert [each["name"] for each in paper["classes"]] == ["road", "sky", "wall"]
    assert parity["probability_difference"] == max(trial["probability_difference"] for trial in parity["trials"])
    assert any(trial["height"] % 2 and trial["width"] % 2 for trial in parity["trials"])
    assert paper["versions"].keys() == {"pixelwise", "torch", "timm", "onnx", "onnxscript", "onnxruntime"}
    assert paper["model"]["provenance"] == {"date": "2026-11-21"}


def test_the_convolutions_that_are_faster_on_cpus_are_exported_as_plain_ones(exported):
    made = exported("deeplabv3plus")
    network = load_bundle(made.bundle).build_model()
    swapped = [layer for layer in network.modules() if isinstance(layer, (DepthwiseConv2d, DilatedConv2d))]
    nodes = [node for node in onnx.load(made.file).graph.node if node.op_type == "Conv"]
    rates = [attribute.ints[0] for node in nodes for attribute in node.attribute if attribute.name == "dilations"]
    assert {type(layer) for layer in swapped} == {DepthwiseConv2d, DilatedConv2d}
    assert {layer.dilation[0] for layer in swapped} <= set(rates)
    assert len(nodes) == sum(isinstance(layer, nn.Conv2d) for layer in network.modules())


@pytest.mark.parametrize("size", [(12, 18), (13, 17), (5, 7), (1, 1), (6, 40)])
@pytest.mark.parametrize("bins", [2, 3, 6])
def test_region_pooling_is_adaptive_average_pooling(bins, size):
    features = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(RegionPooling(bins)(features), nn.AdaptiveAvgPool2d(bins)(features))


def test_a_file_with_another_normalisation_is_caught_and_leaves_the_old_one(exported, tmp_path, monkeypatch):
    made = exported("fcn")
    bundle = load_bundle(made.bundle)
    other = dataclasses.replace(bundle, state={**bundle.state, "mean": bundle.state["mean"] + 20})
    save_bundle(tmp_path / "model", other)
    (tmp_path / "old.pt2").write_bytes(b"old")
    copied = EXPORT_FORMATS[".pt2"]._replace(write=lambda graph, size, path, facts: shutil.copy(made.file, path))
    monkeypatch.setitem(EXPORT_FORMATS, ".pt2", copied)
    for name in ("old.pt2", "new.pt2"):
        with pytest.raises(ModelError, match=r"does not give what the model gives: on 2 images of 64x96"):
            export(tmp_path / "model", tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "old.pt2"]
    assert (tmp_path / "old.pt2").read_bytes() == b"old"


def test_logits_that_are_no_numbers_are_no_proof():
    trial = Trial(1, 2, 2, logit_difference=math.nan, probability_difference=math.nan, equal_pixels=1.0)
    assert "probabilities differ by up to nan" in Parity((trial,)).fault()


def test_a_file_of_fixed_size_takes_only_this_size(tmp_path):
    bundle = save_model(tmp_path / "model", "deeplab", "resnet18", align_corners=True)
    certificate = export(bundle, tmp_path / "fixed.pt2", size=parse_size("40x56"))
    assert certificate.to_json()["outputs"][1]["shape"] == ["batch", 3, 40, 56]
    class_ids, _ = run_program(tmp_path / "fixed.pt2", np.zeros((4, 3, 40, 56), dtype=np.uint8))
    assert class_ids.shape == (4, 40, 56)
    assert "(batch, 3, 40, 56)" in certificate.text()
    with pytest.raises(Exception, match=r"Guard failed|to be equal to 40, but got 56"):
        run_program(tmp_path / "fixed.pt2", np.zeros((1, 3, 56, 40), dtype=np.uint8))


def test_a_network_that_no_trace_fits_asks_for_a_fixed_size(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise RuntimeError("Constraints violated (height)\nand more")

    monkeypatch.setattr(torch.export, "export", refuse)
    bundle = save_model(tmp_path / "model", "fcn", "resnet18", align_corners=False)
    with pytest.raises(ModelError, match=r"fcn on resnet18 .* \(Constraints violated \(height\)\)\. Give a fixed"):
        export(bundle, tmp_path / "network.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["network.pth", "network"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    with pytest.raises(SettingsError, match=r"expected \.onnx \(ONNX\) or \.pt2 \(torch\.export\)"):
        export(tmp_path, tmp_path / name)


def test_missing_packages_are_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r'Exporting to ONNX needs an extra: pip install "pixelwise\[export\]"'):
        export(tmp_path / "none", tmp_path / "network.onnx")


@pytest.mark.parametrize("text", ["512", "512x", "axb", "-1x5", "512x512x3"])
def test_a_text_that_is_no_size_is_refused(text):
    with pytest.raises(SettingsError, match="expected HEIGHTxWIDTH"):
        parse_size(text)


def test_a_size_without_pixels_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="expected sides of 1 to"):
        export(tmp_path, tmp_path / "network.onnx", size=(0, 5))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", EXPORT_FORMATS)
@pytest.mark.parametrize("algorithm", ["lraspp", "segformer", "unet", "upernet"])
@pytest.mark.parametrize(("backbone", "size"), [("test_resnet", None), ("test_vit", (123, 95))])
def test_heads_of_many_maps_are_exported(tmp_path, algorithm, suffix, backbone, size):
    bundle = save_model(tmp_path / "model", algorithm, backbone, align_corners=suffix == ".pt2", output_stride=32)
    export(bundle, tmp_path / f"network{suffix}", size=size)
    run = run_onnx if suffix == ".onnx" else run_program
    images = pictures(2, 123, 95)
    found = run(tmp_path / f"network{suffix}", np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    assert_gives_what_the_model_gives(found, bundle, images)


@pytest.mark.slow
def test_a_trunk_that_needs_padding_is_exported(tmp_path):
    bundle = save_model(tmp_path / "model", "deeplabv3plus", "convnext_atto", align_corners=False)
    # torch.export cannot serialise what this trunk does with a free size; the program gets a fixed one.
    for name, run, size in (("network.onnx", run_onnx, None), ("network.pt2", run_program, (123, 95))):
        export(bundle, tmp_path / name, size=size)
        images = pictures(2, 123, 95)
        found = run(tmp_path / name, np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        assert_gives_what_the_model_gives(found, bundle, images)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet-50", "resnet-101"])
@pytest.mark.parametrize("algorithm", ["fcn", "psp", "deeplab"])
def test_the_networks_of_amazons_image_are_exported(tmp_path, algorithm, backbone):
    bundle = save_model(tmp_path / "model", algorithm, backbone, align_corners=True)
    export(bundle, tmp_path / "network.onnx")
    images = pictures(1, 123, 95)
    found = run_onnx(tmp_path / "network.onnx", np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    assert_gives_what_the_model_gives(found, bundle, images)
