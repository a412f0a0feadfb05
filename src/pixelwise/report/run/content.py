"""ReportContent: all that a report shows, and its file, so that the page can be written again without model or data."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.outputs import write_text
from pixelwise.values import strict_json

CONTENT_FILE = "content.json"

_FORMAT = 1
_JPEG_QUALITY = 92
_PARTS = ("scores", "images", "history", "settings", "facts", "provenance")


@dataclass(frozen=True, eq=False)
class Panel:
    """One image and what was made of it, small enough for a page; all four have one size."""

    name: str
    image: Image.Image  # RGB
    truth: NDArray[np.uint8]  # (H, W) class ids, 255 where ignored
    predicted: NDArray[np.uint8]  # (H, W) class ids
    confidence: NDArray[np.uint8]  # (H, W) probability of the chosen class, 0 to 255 for 0 to 1


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What a report is written from; whatever is empty is left out of the page.

    Everything but `labels` and `panels` is JSON as other files hold it, null where nothing could be measured.
    """

    title: str
    labels: LabelTable
    scores: Mapping[str, Any] = field(default_factory=dict)
    """The content of scores.json."""
    images: Sequence[Mapping[str, Any]] = ()
    """For each image its name, its facts and "iou", a list with one number or null for each class."""
    history: Sequence[Mapping[str, Any]] = ()
    """The lines of metrics.jsonl."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For each split what `Facts.to_json` gives."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Versions, machine, date, seconds: whatever says how the numbers came about."""
    panels: Sequence[Panel] = ()
    bands: Mapping[str, Any] = field(default_factory=dict)
    """What `Bands.to_json` gives of images that are no photographs of 8 bits."""
    shown: str = ""
    """How the pictures were made of such images, as `Display.text` says it."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """The content of plan.json, where the settings were planned."""

    def save(self, folder: Path) -> Path:
        """Write `folder`/content.json, whole or not at all; return its path. Photographs are kept as JPEG.

        Raises:
            SettingsError: the folder cannot be written.
        """
        content = {
            "format": _FORMAT,
            "title": self.title,
            "labels": self.labels.to_json(),
            **{name: strict_json(getattr(self, name)) for name in _PARTS},
            "panels": [_panel_json(panel) for panel in self.panels],
            "bands": self.bands,
            "shown": self.shown,
            "plan": strict_json(self.plan),
        }
        path = folder / CONTENT_FILE
        write_text(path, json.dumps(content, allow_nan=False, default=_plain) + "\n")
        return path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: there is no such file, or it holds something else.
        """
        path = folder / CONTENT_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"format {content['format']!r}")
            return cls(
                title=str(content["title"]),
                labels=LabelTable.from_json(content["labels"], source=str(path)),
                **{name: content[name] for name in _PARTS},
                panels=[_panel(entry) for entry in content["panels"]],
                bands=content.get("bands") or {},  # which reports of before there were bands lack
                shown=str(content.get("shown") or ""),
                plan=content.get("plan") or {},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: cannot be read as the content of a report ({type(error).__name__}: {error}). Expected the "
                f"{CONTENT_FILE} that training or `pixelwise evaluate` wrote with this version; run it again."
            ) from None


def _plain(value: Any) -> Any:
    """What JSON does not know: NumPy's numbers, and paths and the like as texts."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _panel_json(panel: Panel) -> dict[str, str]:
    planes = {name: _png(getattr(panel, name)) for name in ("truth", "predicted", "confidence")}
    return {"name": panel.name, "image": _base64(panel.image, "JPEG", quality=_JPEG_QUALITY, subsampling=0), **planes}


def _panel(entry: Mapping[str, str]) -> Panel:
    image = _decoded(entry["image"]).convert("RGB")
    planes = [np.array(_decoded(entry[name])) for name in ("truth", "predicted", "confidence")]
    for plane in planes:
        if plane.dtype != np.uint8 or plane.shape != (image.height, image.width):
            raise ValueError(f"the pictures of {entry['name']} are not of one size")
    return Panel(str(entry["name"]), image, *planes)


def _png(plane: NDArray[np.uint8]) -> str:
    return _base64(Image.fromarray(np.ascontiguousarray(plane)), "PNG")


def _base64(image: Image.Image, form: str, **how: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return base64.b64encode(buffer.getvalue()).decode()


def _decoded(content: str) -> Image.Image:
    with Image.open(io.BytesIO(base64.b64decode(content, validate=True)), formats=("JPEG", "PNG")) as image:
        image.load()
        return image
