"""Channels in Pipe mode: what comes through a FIFO is written to disk once, and training reads folders as ever.

The platform sends a channel anew for every epoch, `<channel>_0`, `<channel>_1`, ..., in the order of the manifest. Only
the first is read here: order, shuffling and resuming then come from the files.
"""

import contextlib
import errno
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.decoders.formats import IMAGE_FORMATS
from pixelwise.data.reading import open_image
from pixelwise.errors import DataError, SettingsError
from pixelwise.outputs import made_folder
from pixelwise.sagemaker.channels.recordio import read_records
from pixelwise.sagemaker.log_lines import Line

PIPE_WAIT = 300.0
"""Seconds to wait for a FIFO; the platform makes it before or soon after the container starts."""

ATTRIBUTES = 'AttributeNames=["source-ref", "<label>-ref"]'

_SIGNATURES = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}
_POLL = 0.05
_MOST_MASK_VALUES = 64  # a gray photograph has more; few masks show as many classes at once
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Spool:
    """Writes the records of FIFOs below `data` to numbered files in folders of `folder`, one record at a time."""

    data: Path
    folder: Path
    say: Callable[[Line], None]
    written: int = 0  # bytes

    def alternating(self, split: str) -> dict[str, Path]:
        """The channel of an augmented manifest, whose records are image, mask, image, mask, ...

        Returns:
            The folders of the channels `split` and `split`_annotation.

        Raises:
            DataError: the FIFO does not come, is empty or damaged, or the records are no such pairs.
            SettingsError: the disk is full.
        """
        masks, count = f"{split}_annotation", 0
        with self._filled(split, masks) as folders:
            for count, record in enumerate(self._records(split), 1):
                number = (count - 1) // 2
                source = f"{self._fifo(split)}: record {count}"
                if count % 2:
                    image = self._write(record, folders[split], number, source)
                    continue
                if number == 0:
                    _refuse_swapped(image, record, self._fifo(split))
                _require_png(record, source)
                self._write(record, folders[masks], number, source)
            if count % 2:
                raise DataError(
                    f"{self._fifo(split)}: Got empty batch from pipe: {count} records came, and the last, an image, "
                    f"has no mask after it. Images and masks must alternate; give the channel {ATTRIBUTES}."
                )
        self.say(Line(f"Channel {split}: {count} records ({count // 2} images with masks) spooled from {split}_0"))
        return folders

    def separate(self, split: str) -> dict[str, Path]:
        """Two channels, one of images and one of masks: the n-th image belongs to the n-th mask.

        Each FIFO has a writer of its own, so that reading one after the other cannot block. Returns and raises like
        `alternating`.
        """
        masks = f"{split}_annotation"
        counts = dict.fromkeys((split, masks), 0)
        with self._filled(split, masks) as folders:
            for channel in counts:
                for number, record in enumerate(self._records(channel)):
                    source = f"{self._fifo(channel)}: record {number + 1}"
                    if channel == masks:
                        _require_png(record, source)
                    self._write(record, folders[channel], number, source)
                    counts[channel] = number + 1
                self.say(Line(f"Channel {channel}: {counts[channel]} records spooled from {channel}_0"))
            if counts[split] != counts[masks]:
                raise DataError(
                    f"The channel {split!r} sent {counts[split]} images and {masks!r} {counts[masks]} masks; the n-th "
                    "image belongs to the n-th mask, so the numbers must agree. Give every image a mask and both the "
                    f"same order. An S3 prefix `{split}` also brings `{masks}`; end it with `/`."
                )
        return folders

    def _fifo(self, channel: str) -> Path:
        return self.data / f"{channel}_0"

    def _records(self, channel: str) -> Iterator[bytes]:
        """The records of a channel's first epoch; at least one."""
        fifo = self._fifo(channel)
        _wait_for(fifo, channel)
        is_empty = True
        try:
            with fifo.open("rb") as stream:
                for record in read_records(stream, source=str(fifo)):
                    is_empty = False
                    yield record
        except OSError as error:
            raise DataError(f"{fifo}: cannot be read ({error.strerror or error}). Expected a pipe.") from None
        if is_empty:
            raise DataError(
                f"{fifo}: Got empty batch from pipe: it holds no records. Check that the channel's S3Uri leads to "
                f"files, and for an augmented manifest that it has lines and {ATTRIBUTES} names keys in them."
            )

    @contextlib.contextmanager
    def _filled(self, *channels: str) -> Iterator[dict[str, Path]]:
        """New folders of these channels, which are removed when they cannot be filled."""
        folders = {channel: self.folder / channel for channel in channels}
        try:
            for folder in folders.values():
                shutil.rmtree(folder, ignore_errors=True)  # of a container that was started again
                made_folder(folder)
            yield folders
        except BaseException:
            for folder in folders.values():
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def _write(self, record: bytes, folder: Path, number: int, source: str) -> Path:
        suffix = _suffix(record)
        if suffix is None:
            raise DataError(
                f"{source} ({len(record)} bytes) is no picture: it begins with {record[:8].hex(' ') or 'nothing'}. "
                f"Expected {IMAGE_FORMATS}; give the channel image files, or {ATTRIBUTES}, whose names end in -ref."
            )
        path = folder / f"{number:07d}{suffix}"
        try:
            path.write_bytes(record)
        except OSError as error:
            remedy = "Give the job a larger volume (VolumeSizeInGB)." if error.errno in _FULL else "Check the volume."
            raise SettingsError(
                f"{path}: cannot be written ({error.strerror or error}) after {self.written / 1e6:.1f} MB of what "
                f"comes through the pipes, all of which is kept on disk. {remedy}"
            ) from None
        self.written += len(record)
        return path


def _wait_for(fifo: Path, channel: str) -> None:
    deadline = time.monotonic() + PIPE_WAIT
    while not fifo.exists():
        if time.monotonic() >= deadline:
            found = ", ".join(sorted(path.name for path in fifo.parent.glob("*"))) or "nothing"
            raise DataError(
                f"{fifo}: did not come within {PIPE_WAIT:g} seconds; {fifo.parent} holds {found}. Expected the pipe of "
                f"channel {channel!r}, whose TrainingInputMode is Pipe. For a folder, set it to File."
            )
        time.sleep(_POLL)


def _suffix(record: bytes) -> str | None:
    """The suffix of the format that the first bytes tell."""
    if record[:4] == b"RIFF" and record[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in _SIGNATURES.items() if record.startswith(start)), None)


def _require_png(record: bytes, source: str) -> None:
    suffix = _suffix(record)
    if suffix != ".png":
        found = "no picture" if suffix is None else f"a picture of type {suffix}"
        raise DataError(f"{source} is {found}, expected a mask, which is a PNG. For a manifest, give {ATTRIBUTES}.")


def _refuse_swapped(image: Path, mask: bytes, fifo: Path) -> None:
    """The first pair tells whether masks come before images: all pairs have the order of the attributes."""
    swapped = image.suffix == ".png" and _suffix(mask) is not None and _may_be_mask(image)
    if swapped and not (_suffix(mask) == ".png" and _is_single_channel(mask)):
        raise DataError(
            f"{fifo}: record 1 is a mask and record 2 an image, the order is swapped. Images come first: give the "
            f"channel {ATTRIBUTES}, in this order."
        )


def _may_be_mask(path: Path) -> bool:
    """Whether a PNG has one channel and few values."""
    try:
        picture = open_image(path)
        return picture.mode in ("1", "L", "P") and sum(map(bool, picture.histogram())) <= _MOST_MASK_VALUES
    except (DataError, OSError, ValueError, SyntaxError):
        return False  # the check says what is wrong with it


def _is_single_channel(png: bytes) -> bool:
    """After the PNG specification: the byte of the colour type, 0 for gray and 3 for a palette."""
    return png[25:26] in (b"\0", b"\3")
