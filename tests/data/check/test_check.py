import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.repair.dataset import repair
from pixelwise.errors import DataError
from tests.conftest import REAL_DATA

DATA = REAL_DATA
GOOD = np.array([[0, 1, 1], [2, 255, 0]], dtype=np.uint8)


def add(root, name, *, split="train", image=None, mask=GOOD):
    """Write a pair; `mask` is an array, an image or None."""
    # Every picture is another: equal ones in two splits are a finding.
    color = tuple(hashlib.sha256(f"{split}/{name}".encode()).digest()[:3])
    image = image if image is not None else Image.new("RGB", (3, 2), color)
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / f"{split}_annotation").mkdir(parents=True, exist_ok=True)
    image.save(root / split / f"{name}.png")
    if mask is not None:
        mask = Image.fromarray(mask) if isinstance(mask, np.ndarray) else mask
        mask.save(root / f"{split}_annotation" / f"{name}.png")


@pytest.fixture
def root(tmp_path):
    for i in range(3):
        add(tmp_path, f"train{i}")
    add(tmp_path, "validation0", split="validation")
    return tmp_path


def check(root, **options):
    return check_dataset(open_dataset(root), **options)


def codes(findings):
    return sorted(finding.code for finding in findings)


def test_a_good_dataset_is_sound_and_its_facts_are_right(root):
    report = check(root)
    assert (report.sound, report.faults, report.warnings) == (True, (), ())
    assert report.labels.num_classes == 3
    train = report.splits["train"]
    assert train.sizes.counts == {(3, 2): 3}
    assert train.balance.pixels == (6, 6, 3)
    assert train.balance.pixels_where_present == (15, 15, 15)
    assert train.balance.ignored_pixels == 3
    assert [pair.name for pair in report.pairs["train"]] == ["train0", "train1", "train2"]
    assert "sound" in report.text()
    report.require_sound()


def test_labelled_pixels_are_counted_where_a_class_is_present(root):
    add(root, "only0", mask=np.zeros((2, 3), dtype=np.uint8))
    assert check(root).splits["train"].balance.pixels_where_present == (21, 15, 15)


def test_all_faults_come_in_one_report(root):
    turned = Image.Exif()
    turned[0x0112] = 6
    add(root, "no-mask", mask=None)
    add(root, "other-size", image=Image.new("RGB", (9, 9)))
    add(root, "rgb-mask", mask=Image.new("RGB", (3, 2)))
    add(root, "deep-mask", mask=Image.new("I;16", (3, 2)))
    add(root, "unknown-id", mask=np.full((2, 3), 77, dtype=np.uint8))
    add(root, "cut-mask")
    add(root, "cut-image")
    add(root, "nothing")
    add(root, "twice")
    Image.new("RGB", (3, 2)).save(root / "train" / "turned.jpg", exif=turned)
    Image.fromarray(GOOD).save(root / "train_annotation" / "turned.png")
    Image.new("RGB", (3, 2)).save(root / "train" / "twice.jpg")
    Image.new("RGB", (3, 2)).save(root / "train" / "jpeg-mask.jpg")
    Image.fromarray(GOOD).save(root / "train_annotation" / "jpeg-mask.jpg")
    Image.fromarray(GOOD).save(root / "train_annotation" / "no-image.png")
    Image.effect_noise((64, 64), 90).save(root / "train" / "cut.jpg")
    Image.new("L", (64, 64)).save(root / "train_annotation" / "cut.png")
    for path in ("train/cut.jpg", "train/cut-image.png", "train_annotation/cut-mask.png"):
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) * 2 // 3])
    (root / "train" / "nothing.png").write_bytes(b"")
    (root / "test").mkdir()
    (root / "classes.json").write_text('{"0": "a", "1": "b", "3": "d"}')

    report = check(root, num_classes=3)
    found = sorted((fault.code, fault.file.relative_to(root).as_posix()) for fault in report.faults)
    assert found == [
        ("classes-file", "classes.json"),
        ("duplicate-stem", "train/twice.png"),
        ("empty-channel", "test"),
        ("empty-file", "train/nothing.png"),
        ("id-out-of-range", "train_annotation/unknown-id.png"),
        ("image-without-mask", "train/no-mask.png"),
        ("mask-16-bit", "train_annotation/deep-mask.png"),
        ("mask-colors", "train_annotation/rgb-mask.png"),
        ("mask-lossy", "train_annotation/jpeg-mask.jpg"),
        ("mask-without-image", "train_annotation/no-image.png"),
        ("size-exif", "train_annotation/turned.png"),
        ("size-mismatch", "train_annotation/other-size.png"),
        ("truncated-file", "train/cut-image.png"),
        ("truncated-file", "train/cut.jpg"),
        ("truncated-file", "train_annotation/cut-mask.png"),
    ]
    assert all(fault.found and fault.expected and fault.remedy for fault in report.faults)
    with pytest.raises(DataError) as caught:
        report.require_sound()
    assert all(name in str(caught.value) for _, name in found)
    assert "correct the 15 faults" in str(caught.value)


def test_of_many_faults_of_one_kind_the_text_shows_twenty_and_json_all(root):
    for i in range(30):
        add(root, f"lone{i:02}", mask=None)
    report = check(root)
    assert report.text().count(": has no mask.") == 20
    assert "and 10 more of this code" in report.text()
    assert len(json.loads(json.dumps(report.to_json()))["faults"]) == 30


def test_a_warning_that_most_files_have_takes_one_line_with_examples_and_the_remedy(root):
    for i in range(7):
        add(root, f"tile{i}", mask=np.zeros((2, 3), dtype=np.uint8))
    report = check(root)
    line = (
        "mask-one-class: a mask is one class throughout (7 in 11 pairs, such as train_annotation/tile0.png, "
        "train_annotation/tile1.png, train_annotation/tile2.png and 4 more). Nothing, if the image shows nothing else."
    )
    assert line in report.text().splitlines()
    assert line in report.warnings_in_short
    assert "tile5" not in report.text()
    assert [each["code"] for each in report.to_json()["warnings"]].count("mask-one-class") == 7


def test_a_warning_of_few_files_lists_them_and_so_does_a_fault_of_all(root):
    for i in range(4):
        add(root, f"tile{i}", mask=np.zeros((2, 3), dtype=np.uint8))
    text = check(root).text()
    assert text.count("tile3.png: is class 0 throughout.") == 1  # half of the 8 pairs
    for path in (root / "train_annotation").iterdir():
        Image.new("RGB", (3, 2), (1, 2, 3)).save(path)
    assert check(root).text().count("has the channels R+G+B") == 7


def test_names_come_from_the_classes_file(root):
    (root / "classes.json").write_text('{"0": "sky", "1": "road", "2": "tree"}')
    report = check(root)
    assert report.labels.names == ("sky", "road", "tree")
    assert report.labels_from == str(root / "classes.json")


def test_another_classes_file_wins(root, tmp_path):
    (root / "classes.json").write_text("broken")
    other = tmp_path / "other.json"
    other.write_text('{"0": "sky", "1": "road", "2": "tree"}')
    assert check(root, classes_file=other).sound


def test_a_number_of_classes_that_contradicts_the_classes_file_is_a_fault(root):
    (root / "classes.json").write_text('{"0": "sky", "1": "road", "2": "tree"}')
    (fault,) = check(root, num_classes=4).faults
    assert (fault.code, fault.found, fault.expected) == ("classes-file", "names 3 classes", "num_classes 4")


def test_masks_of_class_0_alone_mean_two_classes(tmp_path):
    for split in ("train", "validation"):
        add(tmp_path, "a", split=split, mask=np.zeros((2, 3), dtype=np.uint8))
    report = check(tmp_path)
    assert report.labels.num_classes == 2
    (fault,) = report.faults
    assert (fault.code, fault.file, fault.found) == (
        "one-class", tmp_path / "train_annotation", "holds masks of the class 0 only",
    )  # fmt: skip
    assert "ids-with-gaps" not in codes(report.warnings)


def test_one_class_beside_ignored_pixels_alone_is_a_fault_of_training_masks(tmp_path):
    add(tmp_path, "a", mask=np.array([[1, 1, 255], [1, 1, 1]], dtype=np.uint8))
    add(tmp_path, "b", mask=np.full((2, 3), 255, dtype=np.uint8))
    add(tmp_path, "c", split="validation")
    (fault,) = check(tmp_path).faults
    assert (fault.code, fault.found) == ("one-class", "holds masks of the class 1 only and of 255 (ignored)")
    assert fault.remedy == "If 255 draws a class, save it as an id of its own; else label pixels of another class."


def test_validation_and_test_may_show_one_class(root):
    (root / "validation_annotation" / "validation0.png").unlink()
    for split in ("validation", "test"):
        add(root, f"{split}0", split=split, mask=np.ones((2, 3), dtype=np.uint8))
    assert check(root).sound


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_a_labelled_pixel_is_a_fault(root, split):
    add(root, f"{split}0", split=split, mask=np.full((2, 3), 255, dtype=np.uint8))
    (fault,) = check(root).faults
    assert (fault.code, fault.file) == ("nothing-labelled", root / f"{split}_annotation")


def test_more_classes_than_a_model_can_have_are_a_fault_where_nothing_names_them(tmp_path):
    for split in ("train", "validation"):
        picture = Image.new("RGB", (51, 45), (10, 20, 30 * len(split) % 256))
        blocks = np.arange(255, dtype=np.uint8).reshape(15, 17).repeat(3, axis=0).repeat(3, axis=1)
        add(tmp_path, "a", split=split, image=picture, mask=blocks)
    fault, _of_validation = check(tmp_path).faults
    assert (fault.code, fault.place) == ("id-out-of-range", (48, 42, 51, 45))
    assert fault.found == "has the values 254 (9 px), from column 48, row 42 on"
    assert fault.expected == "0 to 253 or 255 (ignored)"
    assert "as `--fix` does; if more than 254 occur, unite some" in fault.remedy


def test_a_repair_does_not_write_training_masks_of_one_class(tmp_path):
    for split in ("train", "validation"):
        add(tmp_path, "a", split=split, mask=np.full((2, 3), 4, dtype=np.uint8))
    dataset = open_dataset(tmp_path)
    repaired = repair(dataset, check_dataset(dataset), tmp_path.with_name("copy"))
    assert [(finding.code, finding.file.name) for finding in repaired.left_out] == [("one-class", "train_annotation")]


def test_classes_without_training_pixels_are_warnings(root):
    add(root, "new", split="validation", mask=np.array([[4, 4, 4], [0, 4, 4]], dtype=np.uint8))
    report = check(root)
    assert report.sound
    assert {warning.code: warning.found for warning in report.warnings} == {
        "ids-with-gaps": "no mask of any split has 3, and the largest id is 4",
        "class-only-in-validation": "no training mask has class 4 (class 4), which validation has",
    }
    assert "2 warnings" in report.text()


def test_a_named_class_without_any_pixel_is_a_warning(root):
    (root / "classes.json").write_text('{"0": "sky", "1": "road", "2": "tree", "3": "car"}')
    (warning,) = check(root).warnings
    assert (warning.code, warning.found) == ("class-absent", "no training mask has class 3 (car)")


def test_objects_drawn_as_255_are_a_fault_with_its_remedy(tmp_path):
    for split in ("train", "validation"):
        add(tmp_path, "a", split=split, mask=np.array([[0, 255, 0], [0, 255, 255]], dtype=np.uint8))
    report = check(tmp_path)
    assert codes(report.faults) == ["mask-0-255"] * 2
    assert "save it as 1" in report.faults[0].remedy


def test_ids_that_begin_with_1_are_recognised(tmp_path):
    for split in ("train", "validation"):
        add(tmp_path, "a", split=split, mask=np.array([[1, 2, 3], [3, 2, 1]], dtype=np.uint8))
    (fault, _) = check(tmp_path, num_classes=3).faults
    assert "subtract 1" in fault.remedy
    (warning,) = check(tmp_path).warnings
    assert "subtract 1" in warning.remedy


def test_masks_without_any_label_are_a_fault(tmp_path):
    add(tmp_path, "a", mask=np.full((2, 3), 255, dtype=np.uint8))
    add(tmp_path, "a", split="validation")
    assert codes(check(tmp_path).faults) == ["nothing-labelled"]


def test_a_test_split_without_masks_is_looked_at_too(root):
    (root / "test").mkdir()
    Image.new("RGB", (8, 4)).save(root / "test" / "a.png")
    report = check(root)
    assert report.sound
    assert report.splits["test"].sizes.counts == {(8, 4): 1}


def test_threads_change_nothing(root):
    assert check(root, workers=1).to_json() == check(root, workers=7).to_json()


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(("name", "train", "validation"), [("camvid", 367, 101), ("digital-rock", 530, 113)])
def test_real_datasets_are_sound(name, train, validation):
    report = check(DATA / name)
    assert report.sound
    assert {split: len(pairs) for split, pairs in report.pairs.items()} == {"train": train, "validation": validation}
    # Shares from the dataset's own notes, of all pixels.
    if name == "camvid":
        sky, road = (report.splits["train"].balance.pixels[i] / (367 * 480 * 360) for i in (0, 3))
        assert (round(sky, 3), round(road, 3)) == (0.168, 0.317)


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
def test_real_masks_in_people_form_are_caught():
    raw = DATA / "raw"

    def faults(images, masks):
        channels = {"train": raw / images, "train_annotation": raw / masks}
        return check_dataset(open_dataset(None, required=tuple(channels), channels=channels)).faults

    assert "mask-0-255" in codes(faults("human-0-255/Training_Images", "human-0-255/Ground_Truth"))
    aerial = faults("aerial-rgb/image", "aerial-rgb/mask")
    assert any("colours (#" in fault.found for fault in aerial)


def test_a_validation_split_without_the_object_is_no_object_drawn_as_255(tmp_path):
    add(tmp_path, "a", mask=np.array([[0, 1, 0], [0, 255, 1]], dtype=np.uint8))
    add(tmp_path, "b", split="validation", mask=np.array([[0, 0, 0], [0, 255, 255]], dtype=np.uint8))
    assert check(tmp_path).sound


@pytest.mark.parametrize(
    ("name", "content"),
    [("data.yaml", "names: [sky, road]"), ("train/_classes.csv", "Pixel Value, Class\n0, sky\n1, road")],
)
def test_files_of_other_tools_beside_the_data_name_the_classes(root, name, content):
    (root / name).write_text(content)
    report = check(root)
    assert report.labels.names == ("sky", "road")
    assert report.basis[0] == f"2 classes, from {root / name}."
    assert "stray-file" not in {finding.code for finding in report.findings}


def test_two_lists_of_classes_are_a_fault_unless_one_is_classes_json(root):
    (root / "data.yaml").write_text("names: [sky, road]")
    (root / "classes.txt").write_text("road\nsky\n")
    (fault,) = (finding for finding in check(root).faults if finding.code == "classes-file")
    assert (fault.file, fault.found) == (root / "classes.txt", "names the classes road, sky")
    assert "--classes FILE" in fault.remedy
    (root / "classes.json").write_text('{"0": "sky", "1": "road"}')
    report = check(root)
    assert [finding.file.name for finding in report.warnings if finding.code == "classes-differ"] == ["classes.txt"]
    assert "classes-file" not in {finding.code for finding in report.findings}
