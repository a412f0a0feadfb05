"""`check` says what `--fix` would find: each change and each file left out has its finding."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.repair.dataset import repair
from pixelwise.labels import LabelTable

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
IDS = np.zeros((40, 40), dtype=np.uint8)
IDS[10:30, 10:30], IDS[:5, :5] = 1, 2


def of_ids(table, ids=IDS):
    return Image.fromarray(np.array(table, dtype=np.uint8)[ids])


def of_palette(*colors, ids=IDS):
    mask = Image.fromarray(ids)
    mask.putpalette([channel for color in colors for channel in color])
    return mask


def smoothed(mask):
    return mask.resize((80, 80), Image.Resampling.BILINEAR)


def pages(path):
    page = Image.fromarray(IDS)
    page.save(path, save_all=True, append_images=[page])


def of_blends():
    """Colours of which many lie between two others where regions meet; fewer than 64 in all."""
    stripes = np.zeros((40, 40, 3), dtype=np.uint8)
    for i, (color, other) in enumerate([(RED, GREEN), (GREEN, BLUE), (BLUE, RED), (RED, BLUE)]):
        stripes[:, 10 * i : 10 * i + 5] = color
        stripes[:, 10 * i + 5] = (np.add(color, other, dtype=int) // 2).astype(np.uint8)
        stripes[:, 10 * i + 6 : 10 * i + 10] = other
    return Image.fromarray(stripes)


BINARY = np.minimum(IDS, 1)
ALPHA = [(9, 9, 9, 0), (9, 9, 9, 255)]
CASES = {
    "sound ids": (["mask-gray"], of_palette(BLACK, RED, BLUE), of_palette(BLACK, RED, BLUE)),
    "0 and 255": (["mask-0-255"], of_ids([0, 255], BINARY), of_ids([0, 255], BINARY)),
    "0 and 255 in validation alone": (["mask-0-255"], Image.fromarray(BINARY), of_ids([0, 255], BINARY)),
    "the object throughout": (["mask-0-255"], of_ids([0, 255], BINARY), of_ids([255, 255], BINARY)),
    "0 and 255 beside 1 bit": (["mask-0-255"], of_ids([0, 255], BINARY), of_ids([0, 255], BINARY).convert("1")),
    "0 and 255 in GIF": (["mask-0-255", "mask-format"], (of_ids([0, 255], BINARY), "gif"), of_ids([0, 255], BINARY)),
    "0 and 255 in TIFF": (["mask-0-255", "mask-format"], (of_ids([0, 255], BINARY), "tif"), of_ids([0, 255], BINARY)),
    "black and white in RGB": (["mask-colors"], of_ids([BLACK, WHITE], BINARY), of_ids([BLACK, WHITE], BINARY)),
    "spread grays": (["mask-spread-gray"], of_ids([0, 127, 255]), of_ids([0, 128, 255])),
    "spread grays in BMP": (["mask-spread-gray", "mask-format"], (of_ids([0, 127, 255]), "bmp"), of_ids([0, 127, 255])),
    "16 bits": (["mask-16-bit"], Image.fromarray(IDS.astype(np.uint16)), Image.fromarray(IDS)),
    "colours": (["mask-colors"], of_ids([BLACK, RED, BLUE]), of_ids([BLACK, RED, BLUE])),
    "colours and ids": (["mask-colors"], of_ids([BLACK, RED, BLUE]), Image.fromarray(IDS)),
    "contradicting palettes": (["mask-palettes"], of_palette(BLACK, RED, BLUE), of_palette(BLACK, BLUE, RED)),
    "gaps": (["ids-with-gaps"], of_ids([0, 3, 7]), of_ids([0, 3, 7])),
    "smoothed": (["mask-smoothed"], Image.fromarray(IDS), smoothed(of_ids([0, 90, 200]))),
    "smoothed in TIFF": (["mask-smoothed"], Image.fromarray(IDS), (smoothed(of_ids([0, 90, 200])), "tif")),
    "smoothed colours": (["mask-smoothed"], Image.fromarray(IDS), of_blends()),
    "JPEG": (["mask-lossy"], Image.fromarray(IDS), (Image.fromarray(IDS), "jpg")),
    "pages": (["unreadable-file"], Image.fromarray(IDS), (pages, "tif")),
    "fractions": (["mask-16-bit"], Image.fromarray(IDS), (Image.fromarray(IDS + np.float32(0.5)), "tif")),
    "another size": (["size-mismatch"], Image.fromarray(IDS), Image.fromarray(IDS[:30])),
    "another size in GIF": (["size-mismatch"], Image.fromarray(IDS), (Image.fromarray(IDS[:30]), "gif")),
    "one class in GIF": (["one-class"], (of_ids([0, 0, 0]), "gif"), Image.fromarray(IDS)),
    "gray alpha": (["mask-colors"], of_ids(ALPHA, BINARY), of_ids(ALPHA, BINARY)),
}  # fmt: skip


def write(root, split, mask):
    mask, suffix = mask if isinstance(mask, tuple) else (mask, "png")
    for folder in (split, f"{split}_annotation"):
        (root / folder).mkdir(parents=True)
    size = (80, 80) if not callable(mask) and mask.size == (80, 80) else (40, 40)
    pixels = np.random.default_rng(split == "train").integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / split / "a.png")
    path = root / f"{split}_annotation" / f"a.{suffix}"
    if callable(mask):
        mask(path)
    else:
        mask.save(path)


@pytest.mark.parametrize("case", CASES)
def test_what_a_repair_changes_or_leaves_out_has_its_finding(tmp_path, case):
    expected, train, validation = CASES[case]
    write(tmp_path / "dataset", "train", train)
    write(tmp_path / "dataset", "validation", validation)
    dataset = open_dataset(tmp_path / "dataset")
    report = check_dataset(dataset)
    told = {finding.code for finding in report.findings}
    fixed = repair(dataset, report, tmp_path / "out")
    assert set(expected) - {"mask-gray"} <= told
    harmless = {"renamed", "mask-gray"}
    assert set(fixed.changes) - harmless <= told | {"mask-alpha"}
    assert {finding.code for finding in fixed.left_out} <= told
    if fixed.left_out or set(fixed.changes) - harmless - {"mask-1-bit", "ids-with-gaps"}:
        assert report.faults
    assert (not fixed.notes) or report.faults


def test_a_promise_that_a_repair_cannot_keep_is_replaced_by_what_helps(tmp_path):
    write(tmp_path, "train", of_ids([BLACK, RED, GREEN]))
    write(tmp_path, "validation", of_ids([BLACK, RED, BLUE]))
    table = LabelTable.named(["ground", "fire"], {0: BLACK, 1: RED}, sources={0: [BLACK], 1: [RED]}, ignored=[GREEN])
    (tmp_path / "classes.json").write_text(json.dumps(table.to_json()))
    train, validation = check_dataset(open_dataset(tmp_path)).faults
    assert "Replace each colour by its class id" in train.remedy
    assert "leaves masks of this kind out: no class has #0000ff (25 px)" in validation.remedy
    assert "classes.json" in validation.remedy


def test_colours_beside_ids_need_a_table(tmp_path):
    write(tmp_path, "train", of_ids([BLACK, RED, BLUE]))
    write(tmp_path, "validation", Image.fromarray(IDS))
    faults = check_dataset(open_dataset(tmp_path)).faults
    assert [(fault.code, fault.file.parent.name) for fault in faults] == [
        ("mask-colors", "train_annotation"),
        ("id-out-of-range", tmp_path.name),
    ]
    assert "1 masks hold ids and 1 hold colours, and no table says which colour is which id" in faults[1].found
    assert "`--fix` leaves the masks of ids out" in faults[1].remedy
