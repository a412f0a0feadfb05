"""The channels of a job are found as the platform brings them; what does not fit is said before anything is read."""

import json
import logging
import os

import pytest
from PIL import Image

from pixelwise.api.datasets import check
from pixelwise.errors import DataError, SettingsError
from pixelwise.sagemaker.channels.channels import Channel, collect, read_channels

FOUR = ("train", "train_annotation", "validation", "validation_annotation")


def channel(name, mode="File", content_type=None, record_wrapper=None):
    return Channel(name=name, mode=mode, content_type=content_type, record_wrapper=record_wrapper)


def channels(*names, **given):
    return {name: channel(name, **given) for name in names}


def piped(*names, **given):
    return channels(*names, mode="Pipe", **{"record_wrapper": "RecordIO", **given})


def fill(folder, suffix, names="ab"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        mask = Image.new("L", (20, 20), 1)
        mask.putpixel((i, 0), 0)
        image = Image.new("RGB", (20, 20), (60 * i, 20, sum(map(ord, folder.name)) % 256))
        (image if suffix == ".jpg" else mask).save(folder / f"{name}{suffix}")


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "input" / "data"
    for name in FOUR:
        fill(data / name, ".png" if name.endswith("_annotation") else ".jpg")
    return data


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "input" / "config" / "inputdataconfig.json"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def gathered(data, tmp_path):
    """`collect` on this data, with the lines it says."""

    def gather(given):
        lines = []
        return collect(given, data, spool=tmp_path / "spool", say=lines.append), lines

    return gather


# inputdataconfig.json


def test_the_config_of_a_job_is_read(config):
    entries = {
        "train": {
            "TrainingInputMode": "Pipe",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "RecordIO",
            "ContentType": "application/x-recordio",
        },
        "validation": {"TrainingInputMode": "FastFile", "RecordWrapperType": "None", "ContentType": "image/jpeg"},
        "label_map": {"TrainingInputMode": "File"},  # all that local mode writes
        "other": {"ContentType": None, "NewKey": {"deep": 1}},
    }
    config.write_text(json.dumps(entries))
    assert read_channels(config) == {
        "train": channel("train", "Pipe", "application/x-recordio", "RecordIO"),
        "validation": channel("validation", "FastFile", "image/jpeg"),
        "label_map": channel("label_map"),
        "other": channel("other"),
    }


def test_without_a_config_the_folders_are_the_channels(config, data):
    (data / ".cache").mkdir()
    (data / "classes.json").write_text("{}")
    assert read_channels(config) == channels(*FOUR)


def test_without_config_and_data_there_are_no_channels(config):
    assert read_channels(config) == {}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds list, expected an object of channels"),
        ('{"train": "File"}', "channel 'train' is 'File', expected an object with TrainingInputMode"),
        ('{"train": {"TrainingInputMode": "Stream"}}', "'Stream', expected File or FastFile or Pipe"),
        ('{"train": {"TrainingInputMode": ["File"]}}', "expected File or FastFile or Pipe"),
        ('{"train": {"RecordWrapperType": "TFRecord"}}', "'TFRecord', expected RecordIO or None"),
    ],
)
def test_a_config_that_is_none_is_refused(config, content, found):
    config.write_text(content)
    with pytest.raises(SettingsError, match=rf"inputdataconfig\.json: .*{found}"):
        read_channels(config)


# content types


@pytest.mark.parametrize(
    "kind", [None, "", "image/jpeg", "Image/PNG", "application/x-image; version=1", "application/x-recordio"]
)
def test_content_types_may_be_absent_or_any_that_the_container_knows(data, gathered, kind):
    found, lines = gathered(channels(*FOUR, content_type=kind))
    assert found == {name: data / name for name in FOUR}
    assert lines == []


def test_channels_of_other_kinds_keep_their_content_types(data, gathered):
    given = {
        **channels(*FOUR),
        "label_map": channel("label_map", content_type="application/json"),
        "model": channel("model", content_type="application/x-sagemaker-model"),
    }
    found, lines = gathered(given)
    assert set(found) == set(FOUR)
    assert lines == []


def test_other_content_types_are_refused_with_the_nearest_and_the_list(gathered):
    given = {**channels(*FOUR), "train": channel("train", content_type="image/jpg")}
    with pytest.raises(SettingsError) as caught:
        gathered(given)
    assert str(caught.value) == (
        "Channel 'train': No iterator has been registered for ContentType 'image/jpg'. Unknown content type "
        "'image/jpg'. Did you mean 'image/jpeg'? Known: application/json, application/x-image, "
        "application/x-recordio, application/x-sagemaker-model, image/jpeg, image/png. It may also be left out."
    )


# folders


def test_unknown_channels_are_left_alone_with_a_warning(data, gathered):
    found, (line,) = gathered({**channels(*FOUR), "trian": channel("trian", content_type="text/csv")})
    assert found == {name: data / name for name in FOUR}
    assert line.level == logging.WARNING
    assert line.text.startswith("Unknown channel 'trian'. Did you mean 'train'?")


@pytest.mark.parametrize("name", FOUR)
def test_a_required_channel_that_is_missing_is_named(data, gathered, name):
    given = channels(*(other for other in FOUR if other != name))
    with pytest.raises(
        SettingsError,
        match=rf"^Unable to initialize the algorithm\. .*'{name}' is a required property.*data holds train/",
    ):
        gathered(given)


def test_a_channel_without_its_folder_is_an_error_that_says_what_is_there(data, gathered):
    (data / "train_annotation").rename(data / "annotations")
    with pytest.raises(
        DataError, match=r"train_annotation: does not exist, .* holds annotations/, train/, validation/"
    ):
        gathered(channels(*FOUR))
    (data / "train_annotation").write_text("")
    with pytest.raises(DataError, match="train_annotation: is a file"):
        gathered(channels(*FOUR))


def test_test_images_may_have_masks_or_none(data, gathered):
    fill(data / "test", ".jpg")
    assert gathered(channels(*FOUR, "test"))[0]["test"] == data / "test"
    fill(data / "test_annotation", ".png")
    found, _ = gathered(channels(*FOUR, "test", "test_annotation"))
    assert found["test_annotation"] == data / "test_annotation"
    with pytest.raises(SettingsError, match="'test_annotation' has masks but there is no channel 'test'"):
        gathered(channels(*FOUR, "test_annotation"))


def test_masks_that_a_prefix_brought_along_are_warned_of_like_the_container_does(data, gathered):
    fill(data / "train" / "train_annotation", ".png")
    found, lines = gathered(channels(*FOUR))
    assert found == {name: data / name for name in FOUR}
    assert lines == [(f"{data}/train/train_annotation is not a readable image file", logging.WARNING, False)]
    assert len(check(channels=found).splits["train"].pairs) == 2


def test_masks_that_only_the_prefix_brought_are_used_with_a_warning(data, gathered):
    (data / "train_annotation").rename(data / "train" / "train_annotation")
    found, (line,) = gathered(channels("train", "validation", "validation_annotation"))
    assert found["train_annotation"] == data / "train" / "train_annotation"
    assert line.level == logging.WARNING
    assert "Channel train_annotation is not given; its masks are taken from" in line.text
    assert len(check(channels=found).splits["train"].pairs) == 2


def test_stray_files_do_no_harm(data, gathered):
    for name in (".DS_Store", ".manifest", "notes.txt", "train.manifest"):
        (data / "train" / name).write_text("stray")
    found, lines = gathered(channels(*FOUR))
    assert found == {name: data / name for name in FOUR}
    assert lines == []
    assert len(check(channels=found).splits["train"].pairs) == 2


def test_a_fast_file_mount_is_read_and_never_written(data, gathered, tmp_path):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [data, *data.rglob("*")]}

    before = state()
    folders = [data, *(path for path in data.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        found, _ = gathered(channels(*FOUR, mode="FastFile"))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert found == {name: data / name for name in FOUR}
    assert state() == before
    assert not (tmp_path / "spool").exists()


# manifests in folders


def write_manifest(path, images, masks):
    folder = path.parent
    lines = [
        {
            "source-ref": os.path.relpath(image, folder),
            "street-ref": os.path.relpath(masks / f"{image.stem}.png", folder),
        }
        for image in sorted(images.glob("*.jpg"))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_folder_that_holds_a_manifest_alone_gives_the_manifest(data, gathered):
    (data / "train").rename(data / "pictures")
    (data / "train").mkdir()
    manifest = write_manifest(data / "train" / "output.manifest", data / "pictures", data / "train_annotation")
    found, lines = gathered(channels("train", "validation", "validation_annotation"))
    assert found["train"] == manifest
    assert "train_annotation" not in found
    assert lines == []
    assert len(check(channels=found).splits["train"].pairs) == 2
    found, (line,) = gathered(channels(*FOUR))
    assert found["train"] == manifest
    assert "train_annotation" not in found
    assert line.text == f"Channel train_annotation is not read: {manifest} lists the masks."


def test_a_manifest_beside_its_images_stands_for_the_channel_of_masks(data, gathered):
    (data / "train_annotation").rename(data / "train" / "masks")
    manifest = write_manifest(data / "train" / "train.jsonl", data / "train", data / "train" / "masks")
    found, _ = gathered(channels("train", "validation", "validation_annotation"))
    assert found["train"] == manifest
    assert len(check(channels=found).splits["train"].pairs) == 2


def test_of_several_manifests_none_is_guessed(data, gathered):
    for name in ("a.manifest", "b.jsonl"):
        (data / "train" / name).write_text("{}")
    with pytest.raises(SettingsError, match=r"'train_annotation' is a required property.* 2 manifests are there"):
        gathered(channels("train", "validation", "validation_annotation"))


# pipes, before any is opened


@pytest.mark.parametrize("names", [("train", "validation"), FOUR])
def test_pipes_without_record_io_are_refused_before_anything_is_read(gathered, names):
    with pytest.raises(SettingsError, match=r"'train' is in Pipe mode without RecordWrapperType=RecordIO"):
        gathered(piped(*names, record_wrapper=None))


def test_images_and_masks_must_come_in_one_mode(gathered):
    given = {**channels(*FOUR), **piped("train")}
    with pytest.raises(SettingsError, match="'train' in Pipe and 'train_annotation' in File mode cannot be matched"):
        gathered(given)


def test_folders_are_looked_at_before_pipes_are_read(data, gathered):
    (data / "validation").rename(data / "elsewhere")
    given = {**piped("train"), **channels("validation", "validation_annotation")}
    with pytest.raises(DataError, match="validation: does not exist"):
        gathered(given)  # there is no FIFO: reading would wait for it
