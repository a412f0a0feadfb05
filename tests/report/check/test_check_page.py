from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.report import CheckReport, SplitFacts
from pixelwise.data.dataset.pairs import Pairs
from pixelwise.data.facts.regions import NO_REGIONS
from pixelwise.data.facts.statistics import ClassBalance, ImageSizes, PixelStatistics
from pixelwise.data.findings import CODES, Finding
from pixelwise.errors import SettingsError
from pixelwise.labels import LabelTable
from pixelwise.report.check import page as module
from pixelwise.report.check.page import DRAWN_PER_CODE, LISTED_PER_CODE, write_check_page

LABELS = LabelTable.named(["ground", "square"])


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path)
    return path


def save_pair(root, name="a", *, size=(30, 40), value=0):
    """An image and a mask of `size` (height, width) whose mask has `value` in one corner."""
    mask = np.zeros(size)
    mask[:3, :3] = value
    return save(root / "train" / f"{name}.jpg", np.full((*size, 3), 90)), save(root / "masks" / f"{name}.png", mask)


def finding(path, code="id-out-of-range", *, found="has the values 9 (9 px)", remedy="Correct it.", **more):
    return Finding(path, found, "0 to 1 or 255", remedy, code, **more)


def report(root, *findings, names=()):
    pairs = Pairs(root / "train", root / "masks", [(name, ".jpg", ".png") for name in names])
    balance = ClassBalance((75, 25), (2, 1), (75, 25), 2)
    values = PixelStatistics((0.5, 0.5, 0.5), (0.1, 0.1, 0.1), 100)
    facts = SplitFacts(pairs, ImageSizes({(40, 30): 2}), balance, (NO_REGIONS, NO_REGIONS), values, 2)
    return CheckReport(tuple(findings), LABELS, "classes.json", {"train": facts})


@pytest.fixture
def write(tmp_path, read):
    """Write the page of a report and read it."""

    def call(*findings, names=()):
        path = write_check_page(report(tmp_path, *findings, names=names), tmp_path / "out")
        assert path == tmp_path / "out" / "index.html"
        return read(path.read_text(encoding="utf-8"))

    return call


def test_a_sound_dataset_is_said_to_be_sound_with_its_facts(write):
    found = write(names=["a"])
    assert "The dataset is sound: no faults." in found.text
    assert "2 classes, from classes.json" in found.text
    assert [svg["class"] for svg in found.all("svg")] == ["bars", "pie"]
    assert not found.all("img")


def test_faults_are_counted_on_top(write, tmp_path):
    found = write(finding(tmp_path / "a.png"), finding(tmp_path / "b.png"), finding(tmp_path, "mask-one-class"))
    assert "✗ 2 faults: training cannot start." in found.text
    assert "1 warning, 0 notes." in found.text


def test_a_group_says_meaning_expectation_and_remedy_once(write, tmp_path):
    found = write(*(finding(tmp_path / f"{i}.png", remedy="Use `--fix`.") for i in range(3)))
    for text in (CODES["id-out-of-range"].meaning, "Expected: 0 to 1 or 255", "What to do: Use --fix."):
        assert found.text.count(text) == 1
    assert found.text.count("has the values 9 (9 px)") == 3


def test_remedies_that_differ_stand_with_their_files(write, tmp_path):
    found = write(finding(tmp_path / "a.png", remedy="Do this."), finding(tmp_path / "b.png", remedy="Do that."))
    assert "What to do: Do this." in found.text
    assert "What to do: Do that." in found.text


def test_a_faulty_place_is_drawn_in_the_mask_beside_its_image(write, tmp_path):
    _, mask = save_pair(tmp_path, value=9)
    found = write(finding(mask, place=(0, 0, 3, 3)), names=["a"])
    assert [image["alt"] for image in found.all("img")] == [
        "The mask a.png, 40 x 30 px",
        "The image a.jpg, 40 x 30 px",
    ]
    assert "9 no class (checked)" in found.text
    assert "0 ground" in found.text


def test_sizes_that_differ_are_drawn_side_by_side(write, tmp_path):
    image, mask = save_pair(tmp_path)
    save(mask, np.zeros((15, 20)))
    found = write(finding(mask, "size-scaled", other=image), names=["a"])
    assert [(image["width"], image["height"]) for image in found.all("img")] == [("120", "90"), ("240", "180")]


def test_a_picture_in_two_splits_is_drawn_twice(write, tmp_path):
    (first, _), (second, _) = save_pair(tmp_path, "a"), save_pair(tmp_path, "b")
    found = write(finding(second, "duplicate-across-splits", other=first), names=["a", "b"])
    assert [image["alt"][:15] for image in found.all("img")] == ["The image b.jpg", "The image a.jpg"]


def test_a_broken_file_has_a_box_in_place_of_its_picture(write, tmp_path):
    image, _ = save_pair(tmp_path)
    image.write_bytes(b"")
    found = write(finding(image, "empty-file"), names=["a"])
    assert "No picture: the file is empty (0 bytes)." in found.text


def test_folders_and_texts_are_named_and_not_drawn(write, tmp_path):
    found = write(finding(tmp_path / "train", "empty-channel"), finding(tmp_path / "classes.json", "classes-file"))
    assert "classes.json" in found.text
    assert not found.all("figure")


def test_every_code_can_be_shown(write, tmp_path):
    _, mask = save_pair(tmp_path, value=9)
    found = write(*(finding(mask, code, place=(0, 0, 3, 3)) for code in CODES), names=["a"])
    assert {item["id"] for item in found.all("details") if "id" in item} == set(CODES)


def test_of_many_findings_the_first_are_drawn_and_listed(write, tmp_path):
    _, mask = save_pair(tmp_path, value=9)
    found = write(*[finding(mask)] * (LISTED_PER_CODE + 5))
    assert len(found.all("img")) == DRAWN_PER_CODE
    assert found.text.count("has the values") == LISTED_PER_CODE
    assert "The first 12 are drawn. 5 more are not listed here; `pixelwise check --json` lists all." in found.text


def test_a_page_stays_small_and_says_what_it_leaves_out(write, tmp_path, monkeypatch):
    _, mask = save_pair(tmp_path, value=9)
    monkeypatch.setattr(module, "PICTURE_BYTES", 5_000)
    found = write(*[finding(mask)] * 10)
    drawn = len(found.all("img"))
    assert 0 < drawn < 10
    assert f"Pictures of {10 - drawn} more are left out" in found.text


def test_a_file_name_cannot_become_part_of_the_page(write, tmp_path):
    image, _ = save_pair(tmp_path, "<script>alert(1)<&")
    found = write(finding(image, "image-alpha", found="has <b>colours</b>", remedy="<i>Turn</i> it."))
    assert len(found.all("script")) == 1  # the page's own
    assert not found.all("b") + found.all("i")
    assert "<script>alert(1)<&.jpg" in found.text


def test_nothing_on_the_page_leads_to_the_network(tmp_path):
    image, _ = save_pair(tmp_path)
    path = write_check_page(report(tmp_path, finding(image, "image-alpha"), names=["a"]), tmp_path)
    document = path.read_text(encoding="utf-8")
    assert "http://" not in document
    assert "https://" not in document
    assert "@import" not in document


def test_files_are_named_below_the_folder_they_share(write, tmp_path):
    found = write(finding(tmp_path / "x" / "a.png"), finding(tmp_path / "y" / "b.png"))
    assert f"Files are named from {tmp_path} on." in found.text
    assert "x/a.png has" in found.text


def test_files_without_a_common_folder_are_named_in_full(write):
    found = write(finding(Path("here.png")), finding(Path("/there.png")))
    assert "/there.png has" in found.text


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_check_page(report(tmp_path), tmp_path / "file")
