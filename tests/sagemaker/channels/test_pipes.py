"""What comes through real FIFOs ends on disk, complete and in order, or in an error that says what to do."""

import contextlib
import errno
import io
import os
import struct
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.api.datasets import check
from pixelwise.errors import DataError, SettingsError
from pixelwise.sagemaker.channels import pipes
from pixelwise.sagemaker.channels.channels import Channel, collect
from pixelwise.sagemaker.channels.pipes import Spool


def encoded(array, form, mode=None):
    stream = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(stream, form)
    return stream.getvalue()


def image(seed, form="JPEG", side=32):
    return encoded(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8), form)


def mask(seed, side=32):
    return encoded(np.random.default_rng(seed).integers(0, 3, (side, side), dtype=np.uint8), "PNG")


IMAGES = [image(i) for i in range(3)]
MASKS = [mask(i) for i in range(3)]
ALTERNATING = [record for pair in zip(IMAGES, MASKS, strict=True) for record in pair]


def framed(records):
    frames = (struct.pack("<II", 0xCED7230A, len(r)) + r + b"\0" * (-len(r) % 4) for r in records)
    return b"".join(frames)


@pytest.fixture
def platform(tmp_path):
    """Gives a FIFO with a writer of its own, as the platform does; writers may be left alone."""
    data = tmp_path / "data"
    data.mkdir()
    writers = []

    def send(channel, content):
        fifo = data / f"{channel}_0"
        os.mkfifo(fifo)

        def write():
            with contextlib.suppress(BrokenPipeError):  # refused data is not read to its end
                fifo.write_bytes(content)

        writers.append(threading.Thread(target=write, daemon=True))
        writers[-1].start()

    yield send
    for fifo in data.glob("*_0"):  # lets the writers go that nobody read from
        os.close(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
    for writer in writers:
        writer.join(10)


@pytest.fixture
def spool(tmp_path):
    lines = []
    spool = Spool(tmp_path / "data", tmp_path / "spool", lines.append)
    spool.lines = lines
    return spool


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_an_augmented_manifest_becomes_two_folders_in_its_order(platform, spool, tmp_path):
    platform("train", framed(ALTERNATING))
    folders = spool.alternating("train")
    assert folders == {name: tmp_path / "spool" / name for name in ("train", "train_annotation")}
    assert contents(folders["train"]) == {f"000000{i}.jpg": IMAGES[i] for i in range(3)}
    assert contents(folders["train_annotation"]) == {f"000000{i}.png": MASKS[i] for i in range(3)}
    assert [line.text for line in spool.lines] == [
        "Channel train: 6 records (3 images with masks) spooled from train_0"
    ]


def test_two_pipes_of_images_and_masks_are_matched_by_number(platform, spool):
    platform("train", framed(IMAGES))
    platform("train_annotation", framed(MASKS))
    folders = spool.separate("train")
    assert list(contents(folders["train"]).values()) == IMAGES
    assert list(contents(folders["train_annotation"]).values()) == MASKS
    assert [line.text for line in spool.lines] == [
        "Channel train: 3 records spooled from train_0",
        "Channel train_annotation: 3 records spooled from train_annotation_0",
    ]


def test_pipes_that_all_hold_more_than_a_pipe_can_do_not_block_each_other(platform, tmp_path):
    """Linux keeps 64 KiB in a FIFO; every writer here has more and waits for its own reader alone."""
    pictures, labels = [image(i, "PNG", side=200) for i in range(2)], [mask(i, side=900) for i in range(2)]
    channels = {}
    for split in ("validation", "train"):
        for name, records in ((f"{split}_annotation", labels), (split, pictures)):
            assert len(framed(records)) > 2 * 65536
            platform(name, framed(records))
            channels[name] = Channel(name=name, mode="Pipe", content_type=None, record_wrapper="RecordIO")
    found = {}

    def read():
        found.update(collect(channels, tmp_path / "data", spool=tmp_path / "spool", say=lambda line: None))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(60)
    assert not reader.is_alive()
    assert {name: len(contents(folder)) for name, folder in found.items()} == dict.fromkeys(channels, 2)


def test_what_was_spooled_passes_the_check(platform, tmp_path):
    channels = {}
    for split in ("train", "validation"):
        platform(split, framed(ALTERNATING))
        channels[split] = Channel(
            name=split, mode="Pipe", content_type="application/x-recordio", record_wrapper="RecordIO"
        )
    found = collect(channels, tmp_path / "data", spool=tmp_path / "spool", say=lambda line: None)
    report = check(channels=found)
    assert [len(report.splits[split].pairs) for split in ("train", "validation")] == [3, 3]


def test_images_of_16_bits_come_through_a_pipe_as_they_are(platform, tmp_path):
    def tiff(number):
        values = np.random.default_rng(number).integers(0, 4096, (32, 32, 5), dtype=np.uint16)
        file = io.BytesIO()
        tifffile.imwrite(file, values, photometric="minisblack", planarconfig="contig")
        return file.getvalue()

    images = [tiff(number) for number in range(3)]
    channels = {}
    for split in ("train", "validation"):
        platform(split, framed([record for pair in zip(images, MASKS, strict=True) for record in pair]))
        channels[split] = Channel(
            name=split, mode="Pipe", content_type="application/x-recordio", record_wrapper="RecordIO"
        )
    found = collect(channels, tmp_path / "data", spool=tmp_path / "spool", say=lambda line: None)
    assert list(contents(found["train"]).values()) == images
    assert check(channels=found).bands.kind == ("uint16", 5, False)


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("BMP", ".bmp"), ("TIFF", ".tif")],
)
def test_the_content_tells_the_suffix(platform, spool, form, suffix):
    record = image(0, form)
    platform("train", framed([record, MASKS[0]]))
    assert contents(spool.alternating("train")["train"]) == {f"0000000{suffix}": record}


def test_the_fifo_may_come_later(platform, spool):
    threading.Timer(0.2, platform, ("train", framed(ALTERNATING))).start()
    assert len(contents(spool.alternating("train")["train"])) == 3


def test_a_fifo_that_never_comes_is_an_error_that_says_what_is_there(spool, tmp_path, monkeypatch):
    monkeypatch.setattr(pipes, "PIPE_WAIT", 0)
    (tmp_path / "data" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"data/train_0: did not come .* holds train\. Expected .* set it to File"):
        spool.alternating("train")


def test_what_a_former_start_left_is_removed(platform, spool, tmp_path):
    old = tmp_path / "spool" / "train" / "0000007.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(IMAGES[0])
    platform("train", framed(ALTERNATING))
    assert old.name not in contents(spool.alternating("train")["train"])


def test_an_empty_pipe_is_refused(platform, spool):
    platform("train", b"")
    with pytest.raises(DataError, match=r"train_0: Got empty batch from pipe: it holds no records\. .*S3Uri"):
        spool.alternating("train")


def test_an_image_without_a_mask_after_it_is_refused(platform, spool):
    platform("train", framed(ALTERNATING[:5]))
    found = r"Got empty batch from pipe: 5 records came, .* AttributeNames=\[\"source-ref\", \"<label>-ref\"\]"
    with pytest.raises(DataError, match=found):
        spool.alternating("train")


@pytest.mark.parametrize("second", [IMAGES[0], image(0, "PNG")], ids=["JPEG", "PNG"])
def test_masks_before_images_are_called_swapped(platform, spool, second):
    platform("train", framed([MASKS[0], second]))
    with pytest.raises(DataError, match="record 1 is a mask and record 2 an image, the order is swapped"):
        spool.alternating("train")


def test_gray_images_before_masks_are_not_called_swapped(platform, spool):
    gray = encoded(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8), "PNG")
    flat = encoded(np.zeros((32, 32), np.uint8), "PNG")
    platform("train", framed([gray, MASKS[0]]))
    platform("validation", framed([flat, MASKS[0]]))
    for split in ("train", "validation"):
        assert len(contents(spool.alternating(split)[split])) == 1


def test_images_alone_are_refused_at_the_first_mask(platform, spool):
    platform("train", framed(IMAGES[:2]))
    with pytest.raises(DataError, match=r"record 2 is a picture of type \.jpg, expected a mask, which is a PNG"):
        spool.alternating("train")


def test_a_mask_in_another_format_is_refused_by_its_number(platform, spool):
    platform("train", framed(IMAGES))
    platform("train_annotation", framed([*MASKS[:2], IMAGES[0]]))
    with pytest.raises(DataError, match=r"train_annotation_0: record 3 is a picture of type \.jpg"):
        spool.separate("train")


@pytest.mark.parametrize("record", [b"", b'{"class": 1}'])
def test_a_record_that_is_no_picture_is_refused_by_its_number(platform, spool, record):
    platform("train", framed([*ALTERNATING[:2], record]))
    with pytest.raises(DataError, match=r"train_0: record 3 \(\d+ bytes\) is no picture: it begins with"):
        spool.alternating("train")


def test_unequal_numbers_of_images_and_masks_are_named(platform, spool):
    platform("train", framed(IMAGES))
    platform("train_annotation", framed(MASKS[:2]))
    with pytest.raises(DataError, match="'train' sent 3 images and 'train_annotation' 2 masks"):
        spool.separate("train")


@pytest.mark.parametrize("content", [framed(ALTERNATING)[:-1], IMAGES[0], framed(ALTERNATING) + b"garbage!"])
def test_a_damaged_stream_is_refused_and_leaves_nothing_behind(platform, spool, tmp_path, content):
    platform("train", content)
    with pytest.raises(DataError, match=r"data/train_0: .*Unable to parse record\."):
        spool.alternating("train")
    assert list((tmp_path / "spool").iterdir()) == []


def test_memory_does_not_grow_with_the_stream(platform, spool):
    big = [image(i, "BMP", side=600) for i in range(12)]  # 1.08 MB each
    platform("train", framed([record for picture in big for record in (picture, MASKS[0])]))
    tracemalloc.start()
    spool.alternating("train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_a_full_disk_is_an_error_that_asks_for_a_larger_volume(platform, spool, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        if path.name == "0000002.jpg":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    big = [image(i, "BMP", side=600) for i in range(2)]  # 1.08 MB each
    platform("train", framed([big[0], MASKS[0], big[1], MASKS[1], IMAGES[2], MASKS[2]]))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        SettingsError, match=r"No space left on device\) after 2\.2 MB .* larger volume \(VolumeSizeInGB"
    ):
        spool.alternating("train")
    assert list((tmp_path / "spool").iterdir()) == []
