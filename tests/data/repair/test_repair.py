"""A repaired copy: what becomes of each file, of the log, and of what cannot be repaired."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.repair import pair as repair_pair
from pixelwise.data.repair.dataset import repair
from pixelwise.errors import SettingsError
from pixelwise.labels import LabelTable

GOOD = np.array([[0, 1, 1], [2, 255, 0]], dtype=np.uint8)
CHANNELS = ("train", "train_annotation")


def add(root, name, *, split="train", image=None, mask=GOOD, suffix=".png", **options):
    """Write a pair; `mask` is an array, an image or None."""
    for folder in (root / split, root / f"{split}_annotation"):
        folder.mkdir(parents=True, exist_ok=True)
    (image or Image.new("RGB", (3, 2))).save(root / split / f"{name}{suffix}", **options)
    if mask is not None:
        mask = Image.fromarray(mask) if isinstance(mask, np.ndarray) else mask
        mask.save(root / f"{split}_annotation" / f"{name}.png")


def fix(root, out, **options):
    dataset = open_dataset(root, required=CHANNELS)
    report = repair(dataset, check_dataset(dataset), out, **options)
    if not report.is_empty:
        assert check_dataset(open_dataset(out, required=())).faults == ()
    return report


def mask_of(out, name, split="train"):
    mask = Image.open(out / f"{split}_annotation" / f"{name}.png")
    assert (mask.format, mask.mode) in (("PNG", "P"), ("PNG", "L"))
    return np.asarray(mask).tolist()


def log_of(out):
    lines = (out / "changes.jsonl").read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(line).values()) for line in lines]


def left_out(report, root):
    return sorted((finding.code, finding.file.relative_to(root).as_posix()) for finding in report.left_out)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path):
    add(tmp_path / "dataset", "a")
    add(tmp_path / "dataset", "b", split="validation")
    return tmp_path / "dataset"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_files_without_fault_are_copied_byte_for_byte(root, out):
    (root / "test").mkdir()
    Image.new("RGB", (3, 2)).save(root / "test" / "lone.jpg")
    before = files_of(root)
    report = fix(root, out)
    assert (report.images, report.changes, report.left_out) == ({"train": 1, "validation": 1, "test": 1}, {}, ())
    after = files_of(out)
    assert {str(path) for path in after.keys() - before.keys()} == {"changes.jsonl", "classes.json"}
    assert all(after[path] == content for path, content in before.items())
    assert log_of(out) == []
    assert LabelTable.read(out / "classes.json") == LabelTable.numbered(3)
    assert "Nothing was changed." in report.text()


def test_the_dataset_itself_stays_as_it_is(root, out):
    add(root, "c", mask=np.array([[7, 7, 9], [9, 255, 7]], dtype=np.uint8))
    add(root, "d", mask=None)
    before = files_of(root)
    fix(root, out)
    assert files_of(root) == before


def test_a_mask_is_turned_with_its_image_where_the_exif_orientation_says_how(root, out):
    turned = Image.Exif()
    turned[0x0112] = 6  # the first row is the right side when shown
    photo = Image.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
    add(root, "phone", image=photo, suffix=".png", exif=turned)
    report = fix(root, out)
    assert mask_of(out, "phone") == [[2, 0], [255, 1], [0, 1]]
    shown = Image.open(out / "train" / "phone.png")
    assert (shown.size, shown.getexif().get(0x0112)) == ((2, 3), None)
    assert np.asarray(shown).tolist() == np.rot90(np.asarray(photo), k=-1).tolist()
    assert report.changes == {"exif-orientation": 1, "size-exif": 1}
    assert ("train_annotation/phone.png", "train_annotation/phone.png", "size-exif") in [
        line[:3] for line in log_of(out)
    ]


def test_an_image_with_an_exif_orientation_becomes_a_png_and_its_fitting_mask_stays(root, out):
    turned = Image.Exif()
    turned[0x0112] = 3
    add(root, "phone", suffix=".jpg", exif=turned)
    fix(root, out)
    assert not (out / "train" / "phone.jpg").exists()
    assert log_of(out) == [
        (
            "train/phone.jpg", "train/phone.png", "exif-orientation",
            "turned upright by its EXIF orientation 3 and saved as PNG",
        )
    ]  # fmt: skip


def test_a_mask_of_another_scale_is_resized_to_the_nearest_pixel(root, out):
    add(root, "large", image=Image.new("RGB", (12, 8)))
    assert fix(root, out).changes == {"size-scaled": 1}
    assert mask_of(out, "large") == np.kron(GOOD, np.ones((4, 4), dtype=np.uint8)).tolist()


def test_images_are_reduced_to_what_is_read_of_them(root, out):
    add(root, "print", image=Image.new("CMYK", (3, 2), (0, 255, 255, 0)), suffix=".jpg")
    add(root, "glass", image=Image.new("RGBA", (3, 2), (1, 2, 3, 4)))
    add(root, "deep", image=Image.fromarray(np.full((2, 3), 257 * 9, dtype=np.uint16)))
    first, second = Image.new("RGB", (3, 2), (5, 5, 5)), Image.new("RGB", (3, 2), (6, 6, 6))
    add(root, "film", image=first, save_all=True, append_images=[second])
    report = fix(root, out)
    assert report.changes == {"image-16-bit": 1, "image-alpha": 1, "image-animated": 1, "image-cmyk": 1}
    expected = {"print": (255, 0, 0), "glass": (1, 2, 3), "deep": (9, 9, 9), "film": (5, 5, 5)}
    for name, color in expected.items():
        image = Image.open(out / "train" / f"{name}.png")
        assert (image.mode, getattr(image, "n_frames", 1)) == ("RGB", 1)
        assert np.abs(np.asarray(image, dtype=int) - color).max() <= 2  # the JPEG is lossy


def test_what_would_take_a_guess_is_left_out_and_listed(root, out):
    smooth = Image.fromarray(np.kron([[0, 90], [200, 0]], np.ones((8, 8))).astype(np.uint8)).resize((60, 60))
    add(root, "no-mask", mask=None)
    add(root, "other-size", image=Image.new("RGB", (9, 9)))
    add(root, "rotated", image=Image.new("RGB", (2, 3)))
    add(root, "smooth", image=Image.new("RGB", (60, 60)), mask=smooth)
    add(root, "many", mask=Image.effect_noise((60, 60), 90).convert("RGB"), image=Image.new("RGB", (60, 60)))
    add(root, "twice")
    Image.new("RGB", (3, 2)).save(root / "train" / "twice.jpg")
    Image.new("RGB", (3, 2)).save(root / "train" / "lossy.png")
    Image.fromarray(GOOD).save(root / "train_annotation" / "lossy.jpg")
    Image.fromarray(GOOD).save(root / "train_annotation" / "no-image.png")
    (root / "train" / "notes.docx").write_text("x")
    (root / "train" / "gone.png").symlink_to(root / "nowhere.png")
    for name in ("cut", "nothing"):
        add(root, name)
    (root / "train" / "nothing.png").write_bytes(b"")
    content = (root / "train_annotation" / "cut.png").read_bytes()
    (root / "train_annotation" / "cut.png").write_bytes(content[:50])
    report = fix(root, out)
    assert report.images == {"train": 1, "validation": 1}
    assert left_out(report, root) == [
        ("duplicate-stem", "train/twice.png"),
        ("empty-file", "train/nothing.png"),
        ("image-without-mask", "train/no-mask.png"),
        ("link-broken", "train/gone.png"),
        ("mask-lossy", "train_annotation/lossy.jpg"),
        ("mask-rgb", "train_annotation/many.png"),
        ("mask-smoothed", "train_annotation/smooth.png"),
        ("mask-without-image", "train_annotation/no-image.png"),
        ("size-mismatch", "train_annotation/other-size.png"),
        ("size-rotated", "train_annotation/rotated.png"),
        ("stray-file", "train/notes.docx"),
        ("truncated-file", "train_annotation/cut.png"),
    ]
    assert sorted(path.name for path in (out / "train").iterdir()) == ["a.png"]
    assert all(finding.file.name in report.text() for finding in report.left_out)
    assert len(json.loads(json.dumps(report.to_json()))["left_out"]) == 12


def test_where_nothing_can_be_kept_the_report_says_so(tmp_path, out):
    add(tmp_path / "dataset", "a", image=Image.new("RGB", (9, 9)))
    report = fix(tmp_path / "dataset", out)
    assert (report.is_empty, report.images) == (True, {"train": 0})
    assert "Nothing was left to write" in report.text()
    assert not (out / "train").exists()


def test_a_split_whose_masks_would_be_at_fault_together_is_withdrawn(tmp_path, out):
    root = tmp_path / "dataset"
    add(root, "a", mask=np.array([[0, 1, 255]] * 2, dtype=np.uint8))
    add(root, "b", split="validation", mask=np.array([[0, 255, 255]] * 2, dtype=np.uint8))
    report = fix(root, out)
    assert left_out(report, root) == [("mask-0-255", "validation_annotation")]
    assert report.images == {"train": 1, "validation": 0}
    assert (log_of(out), report.changes) == ([], {})
    assert not (out / "validation").exists()


def test_label_maps_are_applied_and_what_classes_were_is_kept(root, out):
    add(root, "a", mask=np.array([[7, 9, 9], [7, 7, 1]], dtype=np.uint8))
    (root / "train_label_map.json").write_text('{"map": {"0": 7, "1": 9, "2": 30}}')
    report = fix(root, out)
    assert mask_of(out, "a") == [[0, 1, 1], [0, 0, 255]]
    assert report.changes == {"label-map-applied": 1}
    # Validation has no map: its ids are themselves.
    assert report.labels.sources == ((7,), (9,), (30,))
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == ["changes.jsonl", "classes.json"]


def test_a_broken_classes_file_is_replaced_by_a_table_made_from_the_masks(root, out):
    (root / "classes.json").write_text("{broken")
    report = fix(root, out)
    assert report.changes == {"classes-file": 1}
    assert log_of(out)[0][:3] == ("classes.json", "classes.json", "classes-file")
    assert LabelTable.read(out / "classes.json") == LabelTable.numbered(3)


def test_manifests_bring_files_from_anywhere_into_the_copy(tmp_path, out):
    root = tmp_path / "dataset"
    add(root / "first", "a")
    add(root / "second", "a")
    lines = [
        {"source-ref": str(root / part / "train/a.png"), "mask-ref": str(root / part / "train_annotation/a.png")}
        for part in ("first", "second")
    ]
    (root / "train.manifest").write_text("\n".join(map(json.dumps, lines)))
    report = fix_manifest(root, out)
    assert report.images == {"train": 2}
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        "train/first/train/a.png",
        "train/second/train/a.png",
        "train_annotation/first/train/a.png",
        "train_annotation/second/train/a.png",
    ]


def fix_manifest(root, out):
    dataset = open_dataset(root, required=("train",))
    report = repair(dataset, check_dataset(dataset), out)
    assert check_dataset(open_dataset(out, required=CHANNELS)).sound
    return report


def test_the_copy_has_a_place_of_its_own(root, tmp_path, out):
    out.mkdir()
    (out / "note.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    for place, message in (
        (out, "is not empty"),
        (tmp_path / "file", "is a file"),
        (root / "fixed", "lies in the dataset"),
        (root, "lies in the dataset"),
        (tmp_path, "lies in it"),
        (tmp_path / "file" / "below", "cannot be written"),
    ):
        with pytest.raises(SettingsError, match=message):
            fix(root, place)
    assert files_of(out) == {Path("note.txt"): b"mine"}


def test_an_interrupted_repair_has_no_classes_file_and_no_half_files(root, out, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repair_pair.shutil, "copyfile", full)
    with pytest.raises(SettingsError, match=r"No space left on device"):
        fix(root, out)
    assert files_of(out) == {}
    monkeypatch.undo()
    (out / "train_annotation").mkdir(exist_ok=True)
    with pytest.raises(SettingsError, match=r"without classes.json it is a repair that was interrupted"):
        fix(root, out)


def test_progress_counts_every_pair_twice_and_the_log_is_always_the_same(root, out, tmp_path):
    for i in range(20):
        add(root, f"c{i:02}", mask=np.array([[0, 4, 9]] * 2, dtype=np.uint8))
    steps = []
    fix(root, out, progress=lambda *step: steps.append(step))
    assert steps == [(i + 1, 44) for i in range(44)]
    fix(root, tmp_path / "again")
    assert files_of(out) == files_of(tmp_path / "again")
    assert [line[0] for line in log_of(out)] == [f"train_annotation/c{i:02}.png" for i in range(20)]


def test_images_of_other_bands_stay_as_they_are_while_their_masks_are_mended(tmp_path):
    root, out = tmp_path / "set", tmp_path / "fixed"
    for name in ("a", "b"):
        for folder in ("train", "train_annotation"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(ord(name)).integers(0, 4096, (16, 24, 5)).astype(np.uint16)
        tifffile.imwrite(root / "train" / f"{name}.tif", values, photometric="minisblack", planarconfig="contig")
        mask = np.zeros((16, 24), np.uint8)
        mask[:, 12:] = 255
        Image.fromarray(mask).save(root / "train_annotation" / f"{name}.png")
    opened = open_dataset(root, required=("train",))
    repair(opened, check_dataset(opened), out)
    for name in ("a", "b"):
        assert (out / "train" / f"{name}.tif").read_bytes() == (root / "train" / f"{name}.tif").read_bytes()
        with Image.open(out / "train_annotation" / f"{name}.png") as mended:
            assert np.asarray(mended)[0].tolist() == [0] * 12 + [1] * 12
