"""Masks of every kind as values and colours, and their way into 8-bit PNGs of class ids."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.findings import FileFault
from pixelwise.data.masks.raw import to_ids
from pixelwise.data.repair.dataset import repair
from pixelwise.data.repair.pair import read_raw
from pixelwise.labels import LabelTable

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 128, 0)
IDS = np.array([[0, 1, 1], [0, 1, 255]], dtype=np.uint8)


def saved(folder, mask, suffix="png", **options):
    path = folder / f"mask.{suffix}"
    if isinstance(mask, bytes):
        path.write_bytes(mask)
    else:
        mask.save(path, **options)
    return path


def png_of_4_bits(rows, width):
    """PNG (W3C, 2003, section 11.2.2) of gray with 4 bits; `rows` are their packed bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows), 4, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def repaired(tmp_path, mask, suffix, *, classes=None, **options):
    """The mask in the copy of a dataset of one pair, and the codes of the changes."""
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    for folder in ("train", "train_annotation"):
        (dataset / folder).mkdir(parents=True)
    size = Image.open(io.BytesIO(mask)).size if isinstance(mask, bytes) else mask.size
    Image.new("RGB", size).save(dataset / "train" / "mask.png")
    saved(dataset / "train_annotation", mask, suffix, **options)
    opened = open_dataset(dataset, required=("train",))
    report = repair(opened, check_dataset(opened), out, classes=classes)
    assert report.left_out == ()
    assert check_dataset(open_dataset(out, required=("train",))).faults == ()
    log = [json.loads(line) for line in (out / "changes.jsonl").read_text(encoding="utf-8").splitlines()]
    return Image.open(out / "train_annotation" / "mask.png"), [line["code"] for line in log]


@pytest.mark.parametrize("suffix", ["tif", "bmp", "gif"])
def test_other_formats_become_png(tmp_path, suffix):
    ids = [[0, 1, 1], [0, 1, 2]]
    mask, codes = repaired(tmp_path, Image.fromarray(np.array(ids, dtype=np.uint8)), suffix)
    assert (mask.format, np.asarray(mask).tolist(), codes) == ("PNG", ids, ["mask-format", "renamed"])


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_1_bit_becomes_8_bits(tmp_path, suffix):
    mask, codes = repaired(tmp_path, Image.fromarray(IDS % 255 * 255).convert("1"), suffix)
    assert (mask.mode, np.asarray(mask).tolist()) == ("L", [[0, 1, 1], [0, 1, 0]])
    assert codes[0] == "mask-1-bit"


@pytest.mark.parametrize(("dtype", "suffix"), [(np.uint16, "png"), (np.uint16, "tif"), (np.int32, "tif")])
def test_16_and_32_bits_become_8_bits(tmp_path, dtype, suffix):
    mask, codes = repaired(tmp_path, Image.fromarray(IDS.astype(dtype)), suffix)
    assert (mask.mode, np.asarray(mask).tolist(), codes[0]) == ("L", IDS.tolist(), "mask-16-bit")


def test_palette_indices_become_gray_and_the_colours_go_to_the_classes(tmp_path):
    mask = Image.fromarray(np.array([[4, 9, 9]], dtype=np.uint8))
    mask.putpalette(bytes([10, 20, 30]) * 9 + bytes([200, 100, 0]))
    result, codes = repaired(tmp_path, mask, "png")
    assert (result.mode, np.asarray(result).tolist(), codes) == ("L", [[0, 1, 1]], ["ids-with-gaps"])
    assert LabelTable.read(tmp_path / "out" / "classes.json").colors == ((10, 20, 30), (200, 100, 0))


def test_a_palette_of_sound_ids_becomes_gray_and_so_do_4_bits(tmp_path):
    # Of both, Pillow's convert("L") and OpenCV read other numbers than the ids.
    mask = Image.fromarray(np.array([[0, 1, 1]], dtype=np.uint8))
    mask.putpalette(bytes([10, 20, 30]) + bytes([200, 100, 0]))
    result, codes = repaired(tmp_path, mask, "png")
    assert (result.mode, result.tobytes(), codes) == ("L", b"\0\1\1", ["mask-gray"])
    (tmp_path / "few").mkdir()
    packed = png_of_4_bits([bytes([0x01, 0x20]), bytes([0x21, 0x00])], 3)
    copied, codes = repaired(tmp_path / "few", packed, "png")
    assert (copied.mode, copied.tobytes(), codes) == ("L", b"\0\1\2\2\1\0", ["mask-gray"])


def test_colours_become_ids_by_the_table_that_is_given(tmp_path):
    mask = Image.fromarray(np.array([[RED, BLUE, GREEN]], dtype=np.uint8))
    table = LabelTable.named(["sea", "fire"], {0: BLUE, 1: RED}, ignored=[GREEN])
    result, codes = repaired(tmp_path, mask, "png", classes=table)
    assert (np.asarray(result).tolist(), codes) == ([[1, 0, 255]], ["mask-colors"])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_transparency_of_a_mask_counts_for_nothing(tmp_path, mode):
    raw = read_raw(saved(tmp_path, Image.new("L", (2, 1), 5).convert(mode)))
    assert (raw.kind, raw.counts) == ("colors", {(5, 5, 5): 2})


def test_values_that_are_not_listed_become_ignored(tmp_path):
    raw = read_raw(saved(tmp_path, Image.fromarray(np.array([[3, 4]], dtype=np.uint8))))
    assert np.asarray(to_ids(raw, {4: 0})).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array([[0.5, 1]], dtype=np.float32), r"from 0.5 to 1.0, not all of them whole"),
        (np.array([[-3e9, 1]], dtype=np.float32), r"from -3000000000.0 to 1.0"),
        (np.array([[70000, 1]], dtype=np.int32), r"from 1 to 70000"),
    ],
)
def test_numbers_that_are_no_values_of_a_mask_are_refused(tmp_path, values, found):
    with pytest.raises(FileFault, match=found) as caught:
        read_raw(saved(tmp_path, Image.fromarray(values), "tif"))
    assert caught.value.finding.code == "mask-16-bit"


def test_whole_numbers_stored_as_floats_are_values(tmp_path):
    raw = read_raw(saved(tmp_path, Image.fromarray(np.array([[2, 700]], dtype=np.float32)), "tif"))
    assert (raw.kind, raw.counts) == ("16-bit", {2: 1, 700: 1})


def test_colours_that_blend_their_neighbours_are_no_classes_and_outlines_are(tmp_path):
    blocks = np.zeros((16, 16, 3), dtype=np.uint8)
    blocks[:, :8], blocks[:, 8:] = RED, GREEN
    smoothed = Image.fromarray(blocks).resize((32, 32), Image.Resampling.BILINEAR)
    with pytest.raises(FileFault) as caught:
        read_raw(saved(tmp_path, smoothed))
    assert caught.value.finding.code == "mask-smoothed"
    outlined = blocks.copy()
    outlined[:, 7] = BLUE
    assert read_raw(saved(tmp_path, Image.fromarray(outlined))).counts == {RED: 112, BLUE: 16, GREEN: 128}


def test_what_tifffile_alone_reads_is_repaired(tmp_path):
    for folder in ("train", "train_annotation"):
        (tmp_path / "dataset" / folder).mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (3, 2)).save(tmp_path / "dataset" / "train" / f"{name}.png")
    masks = tmp_path / "dataset" / "train_annotation"
    Image.fromarray(IDS).save(masks / "a.png")
    tifffile.imwrite(masks / "b.tif", IDS.astype(np.float64), photometric="minisblack")
    opened = open_dataset(tmp_path / "dataset", required=("train",))
    report = repair(opened, check_dataset(opened), tmp_path / "out")
    assert (report.images, report.left_out) == ({"train": 2}, ())
    assert np.asarray(Image.open(tmp_path / "out" / "train_annotation" / "b.png")).tolist() == IDS.tolist()


def test_a_stack_of_pages_is_no_mask(tmp_path):
    page = Image.fromarray(IDS)
    with pytest.raises(FileFault, match="has 2 pages"):
        read_raw(saved(tmp_path, page, "tif", save_all=True, append_images=[page]))


def test_colours_stored_with_loss_are_refused(tmp_path):
    with pytest.raises(FileFault) as caught:
        read_raw(saved(tmp_path, Image.new("L", (4, 4)), "jpg"))
    assert caught.value.finding.code == "mask-lossy"


NODATA = np.array([[0, 1, -1], [0, 1, 2]], dtype=np.int16)


@pytest.fixture
def raster(tmp_path):
    """A dataset of one pair, whose mask is a raster with -1 where there is no data."""
    for folder in ("train", "train_annotation"):
        (tmp_path / "dataset" / folder).mkdir(parents=True)
    Image.new("RGB", (3, 2)).save(tmp_path / "dataset" / "train" / "a.png")
    tifffile.imwrite(tmp_path / "dataset" / "train_annotation" / "a.tif", NODATA, photometric="minisblack")
    return tmp_path / "dataset"


def test_a_value_below_0_that_nothing_lists_is_named_and_never_made_a_class(raster, tmp_path):
    opened = open_dataset(raster, required=("train",))
    checked = check_dataset(opened)
    entry = '{"id": 255, "name": "ignored", "source": -1}'
    assert any("with the values -1 (1 px)" in str(each) and entry in str(each) for each in checked.faults)
    report = repair(opened, checked, tmp_path / "out")
    assert report.images == {"train": 0}
    assert "has the values -1 (16.7 %)" in str(report.left_out[0])
    assert entry in str(report.left_out[0])


@pytest.mark.parametrize("listed_in_dataset", [True, False])
@pytest.mark.parametrize("sources", [True, False])
def test_a_table_ignores_values_below_0(raster, tmp_path, listed_in_dataset, sources):
    entries = [{"id": i, "name": f"c{i}", **({"source": i} if sources else {})} for i in range(3)]
    entries.append({"id": 255, "name": "nodata", "source": -1})
    if listed_in_dataset:
        (raster / "classes.json").write_text(json.dumps(entries))
    opened = open_dataset(raster, required=("train",))
    given = None if listed_in_dataset else LabelTable.from_json(entries, source="given")
    report = repair(opened, check_dataset(opened), tmp_path / "out", classes=given)
    assert report.left_out == ()
    mask = np.asarray(Image.open(tmp_path / "out" / "train_annotation" / "a.png"))
    assert mask.tolist() == [[0, 1, 255], [0, 1, 2]]
    assert LabelTable.read(tmp_path / "out" / "classes.json").ignored == (-1,)
