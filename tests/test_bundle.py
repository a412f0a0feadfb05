import contextlib
import dataclasses
import hashlib
import io
import json
import math
import os
import shutil
import tarfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from pixelwise.bundle import Bundle, load_bundle, provenance, save_bundle
from pixelwise.errors import ModelError
from pixelwise.labels import LabelTable
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings

LABELS = LabelTable.from_json(
    [{"id": 0, "name": "sky", "color": "#87ceeb"}, {"id": 1, "name": "road", "color": "#808080"}], source="test"
)
SETTINGS = Settings(algorithm="fcn", backbone="mobilenetv2_035", pretrained=True, aux_loss_weight=0.4)
FACTS = provenance(date="2026-11-20T12:00:00Z", data={"train": 3})


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    return build_segmenter(SETTINGS, LABELS.num_classes, load_weights=False)


@pytest.fixture
def bundle(trained):
    return Bundle(SETTINGS, LABELS, {"mean_iou": 0.5, "mean_dice": None}, FACTS, trained.state_dict())


@pytest.fixture
def folder(tmp_path, bundle):
    save_bundle(tmp_path / "RUN" / "model", bundle)
    return tmp_path / "RUN" / "model"


def pack(folder, path, prefix="", names=("model.json", "model.safetensors")):
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(folder / name, prefix + name)
    return path


def change(folder, **parts):
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **parts}))


def test_what_was_saved_comes_back(folder, bundle):
    loaded = load_bundle(folder)
    assert loaded.settings == bundle.settings
    assert loaded.labels == LABELS
    assert loaded.scores == {"mean_iou": 0.5, "mean_dice": None}
    assert loaded.provenance == FACTS
    assert loaded.state.keys() == bundle.state.keys()
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in bundle.state.items())


def test_the_model_of_a_bundle_gives_the_logits_of_the_trained_one(folder, trained):
    images = torch.randint(0, 256, (1, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    model = load_bundle(folder).build_model()
    assert not model.training
    trained.eval()
    with torch.inference_mode():
        assert torch.equal(model(images).main, trained(images).main)


def test_the_temperature_is_kept_and_is_1_for_bundles_from_before_there_was_one(folder, bundle):
    save_bundle(folder, dataclasses.replace(bundle, temperature=1.75))
    assert load_bundle(folder).temperature == 1.75
    facts = json.loads((folder / "model.json").read_text())
    assert facts.pop("temperature") == 1.75
    (folder / "model.json").write_text(json.dumps(facts))
    assert load_bundle(folder).temperature == 1.0


def test_what_is_undone_of_the_class_weights_is_kept_and_is_in_the_network_alone(folder, bundle):
    before = (folder / "model.safetensors").read_bytes()
    plain = load_bundle(folder).build_model()
    assert (load_bundle(folder).prior, plain.shift) == (None, None)
    save_bundle(folder, dataclasses.replace(bundle, prior=Prior((0.5, 8.0), 0.5)))
    assert json.loads((folder / "model.json").read_text())["prior"] == {"strength": 0.5, "weights": [0.5, 8.0]}
    assert (folder / "model.safetensors").read_bytes() == before
    loaded = load_bundle(folder)
    assert loaded.prior == Prior((0.5, 8.0), 0.5)
    images = torch.randint(0, 256, (1, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        difference = loaded.build_model()(images).main - plain(images).main
    expected = torch.tensor([0.5 * math.log(2), -0.5 * math.log(8)])[:, None, None].expand_as(difference)
    torch.testing.assert_close(difference, expected, rtol=0, atol=1e-5)


def test_bundles_from_before_there_was_a_prior_undo_nothing(folder):
    facts = json.loads((folder / "model.json").read_text())
    del facts["prior"]
    (folder / "model.json").write_text(json.dumps(facts))
    assert load_bundle(folder).prior is None


def test_the_auxiliary_head_is_left_out(folder, trained):
    assert any(name.startswith("auxiliary.") for name in trained.state_dict())
    assert not any(name.startswith("auxiliary.") for name in load_bundle(folder).state)


def test_model_json_tells_people_and_other_programs_what_the_model_is(folder):
    facts = json.loads((folder / "model.json").read_text())
    assert facts["format_version"] == 1
    assert facts["labels"][0] == {"id": 0, "name": "sky", "color": "#87ceeb"}
    assert facts["normalisation"]["mean"] == pytest.approx([123.675, 116.28, 103.53])  # ImageNet's, times 255
    assert facts["normalisation"]["std"] == pytest.approx([58.395, 57.12, 57.375])
    assert facts["provenance"]["versions"].keys() == {"pixelwise", "torch", "timm"}
    assert facts["settings"]["algorithm"] == "fcn"


def test_weights_in_channels_last_are_stored_alike(tmp_path, folder, trained):
    trained.to(memory_format=torch.channels_last)
    save_bundle(tmp_path / "other", Bundle(SETTINGS, LABELS, {}, FACTS, trained.state_dict()))
    weights = [(path / "model.safetensors").read_bytes() for path in (folder, tmp_path / "other")]
    assert weights[0] == weights[1]


def test_the_run_folder_around_a_bundle_will_do(folder):
    assert load_bundle(folder.parent).labels == LABELS


@pytest.mark.parametrize("prefix", ["", "./", "model/", "./model/"])
def test_an_archive_is_read_as_people_pack_it(folder, tmp_path, prefix):
    (folder / "notes.txt").write_text("mine")
    path = pack(folder, tmp_path / "model.tar.gz", prefix, ("notes.txt", "model.safetensors", "model.json"))
    before = sorted(tmp_path.rglob("*"))
    loaded = load_bundle(path)
    assert loaded.settings == SETTINGS
    assert loaded.build_model()
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked


def test_saving_again_replaces_the_bundle_and_keeps_other_files(folder, bundle):
    (folder / "notes.txt").write_text("mine")
    save_bundle(folder, Bundle(SETTINGS, LABELS, {"mean_iou": 0.9}, FACTS, bundle.state))
    assert load_bundle(folder).scores == {"mean_iou": 0.9}
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]


def test_a_link_to_a_folder_stays_a_link(folder, bundle, tmp_path):
    (tmp_path / "latest").symlink_to(folder)
    save_bundle(tmp_path / "latest", Bundle(SETTINGS, LABELS, {"mean_iou": 0.9}, FACTS, bundle.state))
    assert (tmp_path / "latest").is_symlink()
    assert load_bundle(folder).scores == {"mean_iou": 0.9}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in save_bundle may catch it or tidy up after it."""


def die_at(call, monkeypatch):
    """Let the process die at the given call among all that change the disk."""
    left = iter(range(call, -1, -1))

    def dying(function):
        def call(*args, **kwargs):
            if next(left) == 0:
                raise Killed
            return function(*args, **kwargs)

        return call

    for owner, name in [(os, "fsync"), (Path, "rename"), (Path, "mkdir"), (Path, "open"), (shutil, "rmtree")]:
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


@pytest.mark.parametrize("call", range(12))
def test_a_save_killed_at_any_moment_leaves_the_old_bundle_or_the_new_one(folder, bundle, monkeypatch, call):
    (folder / "notes.txt").write_text("mine")
    new = Bundle(SETTINGS, LABELS, {"mean_iou": 0.9}, FACTS, bundle.state)
    with monkeypatch.context() as patch:
        die_at(call, patch)
        with pytest.raises(Killed) if call < 11 else contextlib.nullcontext():
            save_bundle(folder, new)
    expected = new.scores if call > 6 else bundle.scores
    assert load_bundle(folder).scores == load_bundle(folder.parent).scores == expected
    save_bundle(folder, bundle)
    assert load_bundle(folder).scores == bundle.scores
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path, bundle):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(ModelError, match=r"file.*: the bundle cannot be written"):
            save_bundle(place, bundle)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f.parent), "RUN.model: does not exist"),
        (lambda f: (f / "model.safetensors").unlink(), r"model.safetensors: is missing"),
        (lambda f: (f / "model.json").unlink(), r"model.json: is missing"),
        (lambda f: [p.unlink() for p in list(f.iterdir())], "holds no model.json"),
        (lambda f: (f / "model.json").write_text("{"), "model.json: is not valid JSON"),
        (lambda f: (f / "model.json").write_text("[" * 100_000), "model.json: is not valid JSON"),
        (lambda f: (f / "model.json").write_bytes(b"\xff\xfe\x00"), "model.json: is not valid JSON"),
        (lambda f: (f / "model.json").write_text("[]"), "format_version is None, expected 1"),
        (lambda f: change(f, format_version=2), "format_version is 2, expected 1. Install a newer Pixelwise"),
        (lambda f: change(f, settings=None), "'settings' is missing or no dict"),
        (lambda f: change(f, settings={"epoch": 3}), "Unknown setting 'epoch'. Did you mean 'epochs'"),
        (lambda f: change(f, labels=[{"id": 0}]), "class 0 has the name None"),
        (lambda f: change(f, temperature=0), "temperature is 0, expected a number from 0.001"),
        (lambda f: change(f, temperature=None), "temperature is None, expected a number"),
        (lambda f: change(f, temperature=10**400), "temperature is 1000.*, expected a number"),
        (lambda f: change(f, prior={"strength": 2, "weights": [1, 1]}), r"model.json: prior is .*'strength': 2"),
        (lambda f: change(f, prior={"strength": 0.5, "weights": [1]}), "prior is .* and 2 weights from 0 on"),
        (lambda f: change(f, weights={}), "has .* bytes, expected None"),
        (lambda f: os.truncate(f / "model.safetensors", 1000), "has 1000 bytes, expected .* incomplete"),
    ],
)
def test_a_damaged_bundle_is_refused_with_a_reason(folder, damage, message):
    damage(folder)
    with pytest.raises(ModelError, match=message):
        load_bundle(folder)


def test_a_changed_byte_in_the_weights_is_noticed(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"sha256 is not the one in model.json"):
        load_bundle(folder)


def test_weights_that_are_no_safetensors_are_refused_even_with_the_right_sum(folder):
    content = b"\x80\x04 a pickle, say"
    (folder / "model.safetensors").write_bytes(content)
    change(folder, weights={"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    with pytest.raises(ModelError, match=r"is not a safetensors file"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda state: {name: tensor for name, tensor in state.items() if "head" not in name},
        lambda state: {**state, "extra": torch.zeros(1)},
        lambda state: {name: tensor[:1] if tensor.dim() else tensor for name, tensor in state.items()},
    ],
)
def test_tensors_of_another_network_are_refused(bundle, wrong):
    other = Bundle(SETTINGS, LABELS, {}, FACTS, wrong(bundle.state))
    with pytest.raises(ModelError, match=r"weights are not those of its settings \(fcn on mobilenetv2_035, 2 cla"):
        other.build_model()


@pytest.mark.parametrize("name", ["../model.json", "/etc/model.json", "a/../../model.json"])
def test_an_archive_with_a_path_that_leads_out_is_refused(folder, tmp_path, name):
    path = pack(folder, tmp_path / "model.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    with pytest.raises(ModelError, match=r"leads out"):
        load_bundle(path)


def test_an_archive_with_a_link_is_refused(tmp_path):
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("model.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ModelError, match=r"a link"):
        load_bundle(tmp_path / "model.tar.gz")


def test_a_member_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path):
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("model.json")
        member.size = 100 << 30
        archive.fileobj.write(member.tobuf())
    with pytest.raises(ModelError, match=r"model.json is 102400 MB, expected at most"):
        load_bundle(tmp_path / "model.tar.gz")


def test_an_archive_cut_short_or_of_another_kind_is_refused(folder, tmp_path):
    path = pack(folder, tmp_path / "model.tar.gz")
    content = path.read_bytes()
    for wrong in (content[: len(content) // 2], b"", b"PK\x03\x04 a zip", b"\x1f\x8b" + bytes(40)):
        path.write_bytes(wrong)
        with pytest.raises(ModelError, match=r"is not a complete model.tar.gz"):
            load_bundle(path)
    with pytest.raises(ModelError, match=r"weights alone are no bundle"):
        load_bundle(folder / "model.safetensors")


def test_an_archive_without_a_part_or_with_one_twice_is_refused(folder, tmp_path):
    with pytest.raises(ModelError, match=r"holds no model.safetensors"):
        load_bundle(pack(folder, tmp_path / "model.tar.gz", names=("model.json",)))
    with pytest.raises(ModelError, match=r"holds model.json twice"):
        load_bundle(pack(folder, tmp_path / "model.tar.gz", names=("model.json", "model.json")))


def test_the_weights_are_plain_safetensors_for_everyone(folder, bundle):
    assert safetensors.torch.load_file(folder / "model.safetensors").keys() == bundle.state.keys()
