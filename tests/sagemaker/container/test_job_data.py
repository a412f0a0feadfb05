"""job_data.py: the data of a job is looked at before training, as leniently as the AWS container did."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.reading import read_sample
from pixelwise.errors import DataError, SettingsError
from pixelwise.sagemaker.channels.channels import Channel
from pixelwise.sagemaker.container.data import checked_data, label_maps, said_label_maps
from pixelwise.sagemaker.hyperparameters.parse import parse
from tests.conftest import draw_pair

FOUR = ("train", "train_annotation", "validation", "validation_annotation")


@pytest.fixture
def data(tmp_path):
    """The channels of a small job: three training and two validation pairs with two classes."""
    folder = tmp_path / "data"
    for split, count in (("train", 3), ("validation", 2)):
        for i in range(count):
            draw_pair(folder, split, f"{i:04}", seed=10 * count + i, size=(48, 40))
    return folder


@pytest.fixture
def checked(data):
    """The report on the data, and the lines that were said."""

    def call(*names, **texts):
        hyperparameters = parse({"num_classes": "2", "num_training_samples": "3", "crop_size": "32", **texts})
        lines = []
        folders = {name: data / name for name in (*FOUR, *names)}
        return checked_data(data, folders, hyperparameters, say=lines.append), lines

    return call


def redraw(data, change):
    """Change the values of every mask."""
    for path in sorted(data.glob("*_annotation/*.png")):
        with Image.open(path) as mask:
            values = change(np.asarray(mask))
        Image.fromarray(values.astype(np.uint8)).save(path)


def write_map(data, content, *, splits=("train", "validation")):
    (data / "label_map").mkdir(exist_ok=True)
    for split in splits:
        (data / "label_map" / f"{split}_label_map.json").write_text(json.dumps(content))


def counted(report):
    return report.splits["train"].balance.pixels


# what is left out


def test_sound_data_is_taken_whole_and_without_a_word(checked):
    report, lines = checked()
    assert lines == []
    assert report.sound
    assert {split: len(pairs) for split, pairs in report.pairs.items()} == {"train": 3, "validation": 2}


def test_the_classes_are_those_of_the_job_and_not_of_the_masks(checked):
    report, (line,) = checked(num_classes="3")
    assert report.labels.num_classes == 3
    assert line.level == logging.WARNING
    assert line.text.startswith("no training mask has the class: ")
    assert "no training mask has class 2" in line.text


def test_images_and_masks_without_a_partner_are_left_out_with_one_counted_warning_each(data, checked):
    for name in ("8000", "8001"):
        (data / "train_annotation" / "0000.png").rename(data / "train_annotation" / f"{name}.png")
        draw_pair(data, "train", "0000", seed=5, size=(48, 40))
    for name in ("7000", "7001", "7002"):
        draw_pair(data, "validation", name, seed=int(name), size=(48, 40))
        (data / "validation_annotation" / f"{name}.png").unlink()
    report, lines = checked()
    assert report.sound
    assert [pair.name for pair in report.pairs["train"]] == ["0000", "0001", "0002"]
    assert [pair.name for pair in report.pairs["validation"]] == ["0000", "0001"]
    images, masks = data / "validation" / "7000.png", data / "train_annotation" / "8000.png"
    assert lines == [
        (f"3 files are left out, as an image has no mask of its name, such as {images}", logging.WARNING, False),
        (f"2 files are left out, as a mask has no image of its name, such as {masks}", logging.WARNING, False),
    ]


def shorten(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path):
    path.write_text("no image at all")


def empty(path):
    path.write_bytes(b"")


def rename(path):
    path.rename(path.with_name(f"image_{path.name}"))


def remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [shorten, overwrite, empty])
@pytest.mark.parametrize("channel", FOUR)
def test_an_unreadable_file_is_said_in_the_containers_words_and_its_pair_left_out(data, checked, channel, damage):
    path, split = data / channel / "0001.png", channel.removesuffix("_annotation")
    damage(path)
    report, (line,) = checked()
    assert all(path not in (finding.file, finding.other) for finding in report.findings)
    assert line.level == logging.WARNING
    assert line.text.startswith(f"{path} is not a readable image file")
    assert "0001" not in [pair.name for pair in report.pairs[split]]
    assert sum(map(len, report.pairs.values())) == 4
    for pair in (*report.pairs["train"], *report.pairs["validation"]):  # training reads all that is left
        read_sample(pair, report.labels)


def test_a_link_that_leads_nowhere_is_left_out(data, checked):
    (data / "train" / "0001.png").unlink()
    (data / "train" / "0001.png").symlink_to("nowhere.png")
    report, lines = checked()
    assert [pair.name for pair in report.pairs["train"]] == ["0000", "0002"]
    assert any(line.text.startswith(f"{data}/train/0001.png is not a readable image file") for line in lines)


def test_of_many_unreadable_files_twenty_are_named_and_the_rest_counted(data, checked):
    mask = (data / "train_annotation" / "0000.png").read_bytes()
    for i in range(23):
        empty(data / "train" / f"x{i:02}.png")
        (data / "train_annotation" / f"x{i:02}.png").write_bytes(mask)
    report, lines = checked()
    assert len(report.pairs["train"]) == 3
    assert len(lines) == 21
    assert lines[0].text.startswith(f"{data}/train/x00.png is not a readable image file")
    assert lines[20] == ("... and 3 more that are not readable", logging.WARNING, False)


def test_images_of_a_test_channel_are_looked_at_too(data, checked):
    for i in range(2):
        draw_pair(data, "test", f"{i:04}", seed=70 + i, size=(48, 40))
    empty(data / "test" / "0000.png")
    report, lines = checked("test", "test_annotation")
    assert [pair.name for pair in report.pairs["test"]] == ["0001"]
    assert lines[0].text.startswith(f"{data}/test/0000.png is not a readable image file")


# what ends a job


@pytest.mark.parametrize("ruin", [rename, empty, remove])
@pytest.mark.parametrize("channel", FOUR)
def test_a_channel_of_which_nothing_remains_is_named(data, checked, channel, ruin):
    for path in sorted((data / channel).iterdir()):
        ruin(path)
    split = channel.removesuffix("_annotation")
    with pytest.raises(DataError, match=rf"^Channel '{split}': no image with a mask remains\. .*{split}/0001\.jpg"):
        checked()


def test_a_value_that_is_no_class_ends_the_job_and_the_beginning_says_file_value_and_count(data, checked):
    path = data / "train_annotation" / "0001.png"
    with Image.open(path) as mask:
        mask.paste(7, (10, 3, 13, 5))
        mask.save(path)
    with pytest.raises(DataError) as caught:
        checked()
    assert str(caught.value) == (
        f"{path}: has the values 7 (6 px), from column 10, row 3 on. Expected 0 to 1 or 255 (ignored). "
        "Correct the mask, or num_classes or classes.json if the class exists."
    )
    below_root = str(caught.value).replace(str(data), "/opt/ml/input/data")
    assert "/opt/ml/input/data/train_annotation/0001.png: has the values 7 (6 px)" in below_root[:200]


def test_of_many_faults_the_first_is_told_whole_before_their_number_and_the_others(data, checked):
    redraw(data, lambda values: np.where(values == 1, 2, values))
    with pytest.raises(DataError) as caught:
        checked()
    first, *others = str(caught.value).splitlines()
    assert first.startswith(f"{data}/train_annotation/0000.png: has the values 2 (256 px)")
    assert first.endswith("In all 5 faults: 5 x a mask has values that are no class id.")
    files = [str(path) for path in sorted(data.glob("*_annotation/*.png"))]
    assert [line.partition(":")[0] for line in others] == files[1:]


# label maps


@pytest.mark.parametrize("scale", [3, "3", 3.0, "3.0"])
def test_a_scale_divides_the_values_of_a_mask(data, checked, scale):
    before = counted(checked()[0])
    redraw(data, lambda values: np.where(values == 255, 255, 3 * values))
    write_map(data, {"scale": scale})
    report, lines = checked()
    assert lines == []
    assert counted(report) == before == (3 * (48 * 40 - 256 - 40), 3 * 256)


def test_masks_drawn_as_0_and_255_are_refused_with_the_command_that_repairs_them(data, checked):
    redraw(data, lambda values: np.where(values == 1, 255, 0))
    with pytest.raises(DataError, match=r"of the values 0 and 255 only\..*`pixelwise check DATASET --fix OUT` does"):
        checked()


@pytest.mark.parametrize("scale", [255, "255"])
def test_a_scale_of_255_makes_classes_of_0_and_255(data, checked, scale):
    redraw(data, lambda values: np.where(values == 1, 255, 0))
    with pytest.raises(DataError, match="holds masks of the values 0 and 255 only"):
        checked()
    write_map(data, {"scale": scale})
    report, lines = checked()
    assert lines == []
    assert counted(report) == (3 * (48 * 40 - 256), 3 * 256)
    assert report.splits["train"].balance.ignored_pixels == 0


def test_a_map_has_the_class_as_key_and_the_value_of_the_file_as_value(data, checked):
    """Of the documentation: {"map": {"0": 5, "1": 0, "2": 2}} makes [1, 0, 2] of [0, 5, 2]."""
    rows = np.repeat(np.array([0, 5, 2], np.uint8), (10, 20, 10))[:, None]
    redraw(data, lambda values: np.broadcast_to(rows, values.shape))
    write_map(data, {"map": {"0": 5, "1": 0, "2": 2}})
    report, lines = checked(num_classes="3")
    assert lines == []
    assert counted(report) == (3 * 20 * 48, 3 * 10 * 48, 3 * 10 * 48)
    sample = read_sample(report.pairs["train"][0], report.labels)
    assert sample.class_ids[[0, 15, 35], 0].tolist() == [1, 0, 2]


def test_values_that_a_map_does_not_list_are_ignored_with_one_warning_that_lists_them(data, checked):
    corner = np.zeros((40, 48), bool)
    corner[34:39, 10:15] = True  # below every square
    redraw(data, lambda values: np.where(corner, 9, values))
    write_map(data, {"map": {"0": 0, "1": 1}})
    report, (line,) = checked()
    assert counted(report) == (3 * (48 * 40 - 256 - 40 - 25), 3 * 256)
    assert report.splits["train"].balance.ignored_pixels == 3 * (40 + 25)
    assert line.text.startswith("the label map does not list values that occur; they are ignored (2 times): ")
    assert "holds the values 9 (75 px), which" in line.text


# what is said of label maps


def channel(name, mode="File"):
    return {name: Channel(name=name, mode=mode, content_type=None, record_wrapper=None)}


def said(maps):
    lines = []
    said_label_maps(maps, lines.append)
    return lines


def test_without_label_maps_the_containers_lines_are_said(data):
    assert said(label_maps({}, data)) == [
        ("label maps not provided, using defaults.", logging.WARNING, False),
        ("#label_map train :{'scale': 1}", logging.INFO, False),
        ("#label_map validation :{'scale': 1}", logging.INFO, False),
    ]


def test_label_maps_are_said_as_their_files_have_them(data):
    write_map(data, {"scale": "3"}, splits=("train",))
    write_map(data, {"map": {"0": 5, "1": 0}}, splits=("validation",))
    maps = label_maps(channel("label_map"), data)
    assert maps == {"train": {"scale": "3"}, "validation": {"map": {"0": 5, "1": 0}}}
    assert [line.text for line in said(maps)] == [
        "#label_map train :{'scale': '3'}",
        "#label_map validation :{'map': {'0': 5, '1': 0}}",
    ]


def test_the_label_map_of_one_split_is_said_with_the_default_of_the_other(data):
    write_map(data, {"scale": 3}, splits=("train",))
    assert [line.text for line in said(label_maps(channel("label_map", "FastFile"), data))] == [
        "label maps not provided, using defaults.",
        "#label_map train :{'scale': 3}",
        "#label_map validation :{'scale': 1}",
    ]


def test_label_maps_through_a_pipe_are_refused(data):
    with pytest.raises(SettingsError, match=r"'label_map' is in Pipe mode.* TrainingInputMode File"):
        label_maps(channel("label_map", "Pipe"), data)


@pytest.mark.parametrize("content", ["{", "[3]", "\xff"])
def test_a_label_map_that_is_no_json_object_is_refused_by_name(data, content):
    write_map(data, {})
    (data / "label_map" / "validation_label_map.json").write_text(content, encoding="latin-1")
    with pytest.raises(SettingsError, match=r"label_map/validation_label_map\.json: "):
        label_maps(channel("label_map"), data)
