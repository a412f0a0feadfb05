"""models.py: the model of a channel or an endpoint is found however it came, and the weights that the image holds."""

import json
import tarfile

import numpy as np
import pytest
import torch

from pixelwise.bundle import Bundle, load_bundle, provenance, save_bundle
from pixelwise.errors import ModelError
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.sagemaker.container.models import located_model, packed_weights, read_model, weights_file
from pixelwise.settings import Settings
from tests.sagemaker.artefact.artefacts import artefact
from tests.sagemaker.artefact.gluon_reference import write_list

SETTINGS = Settings(algorithm="fcn", backbone="mobilenetv2_035", pretrained=False, aux_loss_weight=0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The folder of a bundle with weights that nobody trained."""
    folder = tmp_path_factory.mktemp("bundle") / "model"
    torch.manual_seed(0)
    network = build_segmenter(SETTINGS, 2, load_weights=False)
    made = provenance(date="2026-11-21", data={})
    save_bundle(folder, Bundle(SETTINGS, LabelTable.numbered(2), {}, made, network.state_dict()))
    return folder


@pytest.fixture(scope="module")
def gluon(tmp_path_factory):
    """What a job of the old image left in its model folder."""
    folder = tmp_path_factory.mktemp("gluon") / "job"
    artefact(folder, "fcn", num_classes=2)
    return folder


def pack(source, path, prefix=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        for file in sorted(source.iterdir()):
            archive.add(file, prefix + file.name)
    return path


# models


def test_an_unpacked_bundle_is_read_where_it_lies(bundle, tmp_path):
    assert located_model(bundle, tmp_path / "scratch") == bundle
    assert not (tmp_path / "scratch").exists()
    assert read_model(bundle, tmp_path / "scratch").settings.backbone == "mobilenetv2_035"


@pytest.mark.parametrize("prefix", ["", "./", "model/"])
def test_a_packed_bundle_is_read_from_its_archive(bundle, tmp_path, prefix):
    archive = pack(bundle, tmp_path / "model" / "model.tar.gz", prefix)
    assert located_model(tmp_path / "model", tmp_path / "scratch") == archive
    found, expected = read_model(tmp_path / "model", tmp_path / "scratch"), load_bundle(bundle)
    assert found.settings == expected.settings
    assert all(torch.equal(found.state[name], tensor) for name, tensor in expected.state.items())
    assert not (tmp_path / "scratch").exists()


def test_the_only_archive_may_have_a_name_of_its_own(bundle, tmp_path):
    archive = pack(bundle, tmp_path / "model" / "street-v3.tar.gz")
    pack(bundle, tmp_path / "model" / "output.tar.gz")
    assert located_model(tmp_path / "model", tmp_path / "scratch") == archive


def test_other_files_of_a_job_beside_a_bundle_do_no_harm(bundle, tmp_path):
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    (tmp_path / "hyperparams.json").write_text('{"algorithm": "fcn"}')
    pack(tmp_path, tmp_path.parent / f"{tmp_path.name}-packed" / "model.tar.gz")
    assert located_model(tmp_path, tmp_path / "scratch") == tmp_path
    assert read_model(tmp_path.parent / f"{tmp_path.name}-packed", tmp_path / "scratch").settings.algorithm == "fcn"


def test_an_artefact_of_the_old_image_is_imported(gluon, tmp_path):
    before = sorted(path.name for path in gluon.iterdir())
    found = located_model(gluon, tmp_path / "scratch")
    assert found.is_relative_to(tmp_path / "scratch")
    imported = load_bundle(found)
    assert (imported.settings.algorithm, imported.settings.backbone) == ("fcn", "resnet-50")
    assert (imported.settings.num_classes, imported.settings.align_corners) == (2, True)
    assert sorted(path.name for path in gluon.iterdir()) == before


def test_a_packed_artefact_is_imported_from_its_archive(gluon, tmp_path, monkeypatch):
    archive = pack(gluon, tmp_path / "model" / "model.tar.gz")
    imports = []
    monkeypatch.setattr(
        "pixelwise.sagemaker.container.models.import_model", lambda *paths: imports.append(paths) or paths[1]
    )
    found = located_model(tmp_path / "model", tmp_path / "scratch")
    assert imports == [(archive, found)]
    assert found.is_relative_to(tmp_path / "scratch")


@pytest.mark.parametrize("found", ["does not exist", "is empty", "holds output.tar.gz, readme.txt"])
def test_a_folder_without_a_model_says_what_it_holds_and_what_a_model_is(tmp_path, found):
    folder = tmp_path / "model"
    if found != "does not exist":
        folder.mkdir()
    for name in ("readme.txt", "output.tar.gz") if found.startswith("holds") else ():
        (folder / name).write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        read_model(folder, tmp_path / "scratch")
    assert str(caught.value) == (
        f"{folder}: {found}, expected model.tar.gz or what was packed in it: model.json and model.safetensors, or "
        "model_best.params of the old image. Give the model.tar.gz of a training job."
    )


def test_half_a_bundle_is_a_bundle_that_misses_a_file(bundle, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((bundle / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"model\.json: is missing"):
        read_model(tmp_path, tmp_path / "scratch")
    (tmp_path / "model.safetensors").rename(tmp_path / "x")
    (tmp_path / "model.json").write_bytes((bundle / "model.json").read_bytes())
    with pytest.raises(ModelError, match=r"model\.safetensors: is missing"):
        read_model(tmp_path, tmp_path / "scratch")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken", None])
def test_an_archive_that_is_damaged_says_so(bundle, tmp_path, content):
    whole = pack(bundle, tmp_path / "whole" / "model.tar.gz").read_bytes()
    (tmp_path / "model.tar.gz").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ModelError, match=r"model\.tar\.gz: is not a complete model\.tar\.gz"):
        read_model(tmp_path, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_an_archive_of_something_else_says_what_it_lacks(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "saved_model.pb").write_bytes(b"x")
    pack(tmp_path / "files", tmp_path / "model" / "model.tar.gz")
    with pytest.raises(ModelError, match=r"model\.tar\.gz: holds neither model_best\.params nor model_algo-1"):
        read_model(tmp_path / "model", tmp_path / "scratch")


def test_an_artefact_that_diverged_leaves_nothing_behind(tmp_path):
    (tmp_path / "job").mkdir()
    write_list(tmp_path / "job" / "model_best.params", {"head.block.4.bias": np.array([0, np.nan], "float32")})
    (tmp_path / "job" / "hyperparams.json").write_text(json.dumps({"algorithm": "fcn"}))
    with pytest.raises(ModelError):
        located_model(tmp_path / "job", tmp_path / "scratch")
    assert not (tmp_path / "scratch" / "imported").exists()


# weights


@pytest.fixture
def weights(tmp_path):
    """A folder of weights, and the environment that names it."""
    for name in ("resnet50s.safetensors", "resnet101s.pth", "resnet50.pth", "resnet50.safetensors", "resnet34.bin"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "resnet18.pth").mkdir()
    return {"PIXELWISE_WEIGHTS": str(tmp_path)}


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("resnet-50", "resnet50s.safetensors"),  # the network of the old image has a deep stem
        ("resnet-101", "resnet101s.pth"),
        ("resnet50s.gluon_in1k", "resnet50s.safetensors"),  # whatever data the weights are from
        ("resnet50", "resnet50.safetensors"),  # of two files the one that executes nothing
        ("resnet50.a1_in1k", "resnet50.safetensors"),
    ],
)
def test_the_weights_of_a_backbone_are_found_by_name(weights, tmp_path, backbone, name):
    assert packed_weights(backbone, weights) == tmp_path / name


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet152", "mobilenetv2_035", "resnet5"])
def test_weights_that_the_image_does_not_hold_are_none(weights, backbone):
    assert packed_weights(backbone, weights) is None


def test_where_weights_lie_is_told_by_the_environment(monkeypatch, tmp_path):
    expected = "/usr/share/pixelwise/weights/resnet50s.safetensors"
    assert str(weights_file("resnet-50", {})) == str(weights_file("resnet-50", {"PIXELWISE_WEIGHTS": ""})) == expected
    assert packed_weights("resnet-50", {"PIXELWISE_WEIGHTS": str(tmp_path / "nowhere")}) is None
    monkeypatch.setenv("PIXELWISE_WEIGHTS", str(tmp_path))
    (tmp_path / "resnet50s.pth").write_bytes(b"")
    assert packed_weights("resnet-50") == tmp_path / "resnet50s.pth"
