"""Datasets of Hugging Face: on disk, as parquet, by name; columns, names, splits, and images as they were."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError, MissingExtra, SettingsError
from pixelwise.labels import LabelTable

datasets = pytest.importorskip("datasets")

IDS = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What `datasets` keeps of parquet files goes into the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture
def table(photo, encoded):
    """A dataset of rows with a JPEG and a mask: table(3, names=True, image="image", mask="label")."""

    def make(count=3, *, first=0, image="image", mask="label", ids=IDS, names=True, more=None):
        rows = range(first, first + count)
        columns = {
            image: [{"bytes": photo(i, (3, 2)), "path": f"street{i}.jpg" if names else None} for i in rows],
            mask: [{"bytes": encoded(ids), "path": None} for _ in rows],
        }
        features = {image: datasets.Image(), mask: datasets.Image()}
        for name, (feature, value) in (more or {}).items():
            columns[name], features[name] = [value] * count, feature
        return datasets.Dataset.from_dict(columns, features=datasets.Features(features))

    return make


@pytest.fixture
def saved(tmp_path):
    """A folder that save_to_disk wrote of the splits given."""

    def save(**splits):
        datasets.DatasetDict(splits).save_to_disk(tmp_path / "source")
        return tmp_path / "source"

    return save


def test_splits_are_kept_and_images_have_the_bytes_that_were_stored(table, saved, converted, photo, tmp_path):
    root = saved(train=table(2), val=table(1, first=2), test=table(1, first=3))
    report, masks = converted("hf", root, num_classes=3)
    assert {name: mask.tolist() for name, mask in masks.items()} == dict.fromkeys(
        ("train/street0", "train/street1", "validation/street2", "test/street3"), IDS.tolist()
    )
    assert (tmp_path / "dataset" / "train" / "street1.jpg").read_bytes() == photo(1, (3, 2))
    assert report.notes[0] == "Images are in the column image, masks in label."


def test_a_dataset_without_splits_is_divided(table, converted, tmp_path):
    table(3, names=False).save_to_disk(tmp_path / "source")
    report, masks = converted("hf", tmp_path / "source", num_classes=3)
    assert report.images == {"train": 2, "validation": 1}
    assert {name.partition("/")[2] for name in masks} == {"000000", "000001", "000002"}


@pytest.mark.parametrize("folder", ["data/{}-00000-of-00001.parquet", "default/{}/0000.parquet"])
def test_parquet_files_are_read_as_the_hub_lays_them(table, converted, tmp_path, photo, folder):
    for split, first in (("train", 0), ("validation", 2)):
        path = tmp_path / "source" / folder.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        table(2, first=first).to_parquet(path)
    _, masks = converted("hf", tmp_path / "source", num_classes=3)
    assert sorted(masks) == ["train/street0", "train/street1", "validation/street2", "validation/street3"]
    assert (tmp_path / "dataset" / "validation" / "street3.jpg").read_bytes() == photo(3, (3, 2))


def test_parquet_without_features_of_hugging_face_is_read(table, converted, tmp_path):
    plain = table(3).cast(
        datasets.Features({key: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
                           for key in ("image", "label")})
    )  # fmt: skip
    (tmp_path / "source").mkdir()
    plain.to_parquet(tmp_path / "source" / "train.parquet")
    _, masks = converted("hf", tmp_path / "source", num_classes=3)
    assert {mask.tolist() == IDS.tolist() for mask in masks.values()} == {True}
    assert len(masks) == 3


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("pixel_values", "labels"),
        ("image", "annotation"),
        ("img", "segmentation_mask"),
        ("Image", "Mask"),
        ("a", "mask"),
        ("image", "b"),
        ("scene", "semanticSegmentation"),
    ],
)
def test_columns_are_found_by_type_and_name(table, saved, converted, image, mask):
    more = {
        "scene_category": (datasets.ClassLabel(names=["indoor", "outdoor"]), 0),
        "text": (datasets.Value("string"), "x"),
    }
    root = saved(train=table(3, image=image, mask=mask, more=more))
    report, _ = converted("hf", root, num_classes=3)
    assert report.notes[0] == f"Images are in the column {image}, masks in {mask}."
    assert report.labels.names == ("class 0", "class 1", "class 2")  # the scene names no class of pixels


def test_other_pictures_do_not_confuse(table, saved, converted, encoded):
    cell = {"bytes": encoded(IDS), "path": None}
    more = {"instance_mask": (datasets.Image(), cell), "depth": (datasets.Image(), cell)}
    report, _ = converted("hf", saved(train=table(3, mask="semantic_mask", more=more)), num_classes=3)
    assert report.notes[0] == "Images are in the column image, masks in semantic_mask."


def test_several_columns_that_may_be_meant_are_shown_and_a_flag_decides(table, saved, converted, encoded):
    cell = {"bytes": encoded(2 - IDS), "path": None}
    root = saved(train=table(3, more={"mask2": (datasets.Image(), cell), "mask": (datasets.Image(), cell)}))
    with pytest.raises(DataError, match=r"nothing tells which column holds the masks.*label \(Image\).*--masks mask"):
        converted("hf", root, num_classes=3)
    with pytest.raises(SettingsError, match="--masks is 'gone', expected a column"):
        converted("hf", root, num_classes=3, masks="gone")
    _, masks = converted("hf", root, num_classes=3, masks="mask2")
    assert next(iter(masks.values())).tolist() == (2 - IDS).tolist()


@pytest.mark.parametrize(
    ("feature", "names"),
    [
        (datasets.Array2D((2, 3), "int32"), ("class 0", "class 1", "class 2")),
        (datasets.Sequence(datasets.Sequence(datasets.Value("int16"))), ("class 0", "class 1", "class 2")),
        (
            datasets.Sequence(datasets.Sequence(datasets.ClassLabel(names=["sky", "road", "car"]))),
            ("sky", "road", "car"),
        ),
    ],
)
def test_masks_may_be_lists_of_numbers_with_names(saved, converted, photo, feature, names):
    features = datasets.Features({"image": datasets.Image(), "mask": feature})
    rows = {"image": [{"bytes": photo(i, (3, 2)), "path": None} for i in range(3)], "mask": [IDS.tolist()] * 3}
    root = saved(train=datasets.Dataset.from_dict(rows, features=features))
    report, masks = converted("hf", root, num_classes=3)
    assert report.labels.names == names
    assert next(iter(masks.values())).tolist() == IDS.tolist()


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"0": "sky", "1": "road", "2": "car"}, IDS), ({"1": "road", "2": "car", "255": "void", "0": "sky"}, IDS)],
)
def test_names_come_from_id2label(table, saved, converted, names, expected):
    root = saved(train=table(3))
    (root / "id2label.json").write_text(json.dumps(names))
    report, masks = converted("hf", root)
    assert report.labels.names == ("sky", "road", "car")
    assert "Names of the classes come from id2label.json." in report.notes
    assert next(iter(masks.values())).tolist() == expected.tolist()


def test_ids_of_id2label_with_gaps_are_refused_with_what_to_write(table, saved, converted):
    root = saved(train=table(3, ids=np.array([[5, 5, 9], [9, 9, 9]], dtype=np.uint8)))
    (root / "id2label.json").write_text(json.dumps({"9": "road", "5": "sky"}))
    with pytest.raises(DataError, match=r'"name": "sky", "source": 5.*"name": "road", "source": 9'):
        converted("hf", root)


@pytest.mark.parametrize("content", ["[1]", "5"])
def test_an_id2label_that_names_nothing_is_refused(table, saved, converted, content):
    root = saved(train=table(3))
    (root / "id2label.json").write_text(content)
    with pytest.raises(DataError, match=r"id2label\.json"):
        converted("hf", root)


def test_values_that_nothing_names_are_asked_for(table, saved, converted):
    with pytest.raises(DataError, match="nothing says which classes the values of the masks are"):
        converted("hf", saved(train=table(3, ids=np.array([[5, 5, 9], [9, 9, 9]], dtype=np.uint8))))


def test_gray_in_three_channels_is_gray_and_colours_are_classes_by_a_table(table, saved, converted):
    gray = np.repeat(IDS[:, :, None], 3, axis=2)
    _, masks = converted("hf", saved(train=table(3, ids=gray)), num_classes=3)
    assert next(iter(masks.values())).tolist() == IDS.tolist()


def test_colours_are_classes_by_a_table(table, saved, converted):
    colors = np.array([[255, 0, 0], [0, 0, 255], [0, 128, 0]], dtype=np.uint8)
    labels = LabelTable.named(["a", "b", "c"], sources={i: [tuple(map(int, color))] for i, color in enumerate(colors)})
    _, masks = converted("hf", saved(train=table(3, ids=colors[IDS])), classes=labels)
    assert next(iter(masks.values())).tolist() == IDS.tolist()


def test_splits_of_other_names_keep_their_rows_apart(table, saved, converted):
    _, masks = converted("hf", saved(city=table(2, names=False), farm=table(2, first=2, names=False)), num_classes=3)
    assert {name.partition("/")[2] for name in masks} == {
        f"{split}/00000{i}" for split in ("city", "farm") for i in (0, 1)
    }


def test_rows_without_a_mask_are_counted_and_damaged_ones_left_out_by_name(table, saved, tmp_path, photo, encoded):
    rows = {
        "image": [{"bytes": photo(i, (3, 2)), "path": f"s{i}.jpg"} for i in range(5)],
        "label": [*[{"bytes": encoded(IDS), "path": None}] * 3, None, {"bytes": b"nothing", "path": None}],
    }
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Image()})
    root = saved(train=datasets.Dataset.from_dict(rows, features=features))
    report = convert("hf", root, tmp_path / "dataset", options=Options(num_classes=3))
    assert "1 row of train without a mask left out." in report.notes
    assert [each.file.as_posix() for each in report.left_out] == ["train/s4.jpg"]


def test_a_path_that_leads_out_of_the_dataset_is_not_followed(table, saved, tmp_path, photo, encoded):
    (tmp_path / "private.jpg").write_bytes(photo(0, (3, 2)))
    paths = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    rows = {
        "image": [
            {"bytes": None, "path": "../private.jpg"},
            *({"bytes": photo(i, (3, 2)), "path": None} for i in (1, 2)),
        ],
        "mask": [{"bytes": encoded(IDS), "path": None}] * 3,
    }
    root = saved(train=datasets.Dataset.from_dict(rows, features=datasets.Features({"image": paths, "mask": paths})))
    report = convert("hf", root, tmp_path / "dataset", options=Options(num_classes=3))
    assert report.images == {"train": 1, "validation": 1}
    (finding,) = report.left_out
    assert "the path of a file outside of the dataset (../private.jpg)" in finding.found


def test_without_the_extra_it_is_asked_for(table, saved, monkeypatch, converted):
    root = saved(train=table(3))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"pixelwise\[hf\]"):
        converted("hf", root, num_classes=3)


def test_a_name_is_fetched_and_no_code_is_ever_trusted(table, monkeypatch, tmp_path):
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options, datasets.config.HF_DATASETS_TRUST_REMOTE_CODE))
        return datasets.DatasetDict(train=table(3))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_TRUST_REMOTE_CODE", True, raising=False)
    report = convert("hf", Path("owner/street-scenes"), tmp_path / "dataset", options=Options(num_classes=3))
    assert asked == [("owner/street-scenes", {}, False)]
    assert (report.source, report.images) == ("street-scenes", {"train": 2, "validation": 1})


@pytest.mark.parametrize("name", ["owner/gone", "nowhere", "a/b/c", "../a", "/tmp/nowhere/at-all"])
def test_what_is_nowhere_is_named(name, monkeypatch, tmp_path):
    def load_dataset(name, **options):
        raise ConnectionError("no connection")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    fetched = (
        "could not be fetched from the hub (no connection)" if name == "owner/gone" else "does not exist, expected"
    )
    with pytest.raises(DataError) as caught:
        convert("hf", Path(name), tmp_path / "dataset", options=Options(num_classes=3))
    assert fetched in str(caught.value)
    assert "save_to_disk" in str(caught.value)


def test_folders_and_files_that_are_no_dataset_are_refused(source, converted, table, saved, tmp_path):
    with pytest.raises(DataError, match=r"has neither state\.json"):
        converted("hf", source({"a.txt": "b"}), num_classes=3)
    (tmp_path / "source" / "train.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="cannot be read as a dataset of Hugging Face"):
        converted("hf", tmp_path / "source", num_classes=3)
    (tmp_path / "source" / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as a dataset of Hugging Face"):
        converted("hf", tmp_path / "source", num_classes=3)
    with pytest.raises(DataError, match=r"is a file, expected a folder that save_to_disk wrote"):
        converted("hf", tmp_path / "source" / "a.txt", num_classes=3)
