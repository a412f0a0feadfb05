"""Predictions to bytes of a reply: one function per content type."""

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data.decoders.deep import PixelArray
from pixelwise.errors import SettingsError
from pixelwise.inference.predictor import Prediction
from pixelwise.inference.render import overlay, written_mask
from pixelwise.labels import hex_color
from pixelwise.serving.limits import Refusal
from pixelwise.serving.media_types import MediaType, parse_media_type, wanted
from pixelwise.serving.protobuf_record import LARGEST_RECORD, encode_record, record_size
from pixelwise.serving.requests import Received

DEFAULT_REPLY = "image/png"
"""The reply to a request that asks for none."""


class Reply(NamedTuple):
    """How a prediction is written: `encode` takes the image and its prediction."""

    content_type: str
    encode: Callable[[Received, Prediction], bytes]
    needs_probabilities: bool = False


def choose_reply(accept: str, *, default: str = DEFAULT_REPLY) -> Reply:
    """The reply to an Accept header; `default` for none and for `*/*`.

    Raises:
        Refusal: 406, there is no such reply; 400, a parameter is out of range.
    """
    media_type = wanted(accept, list(REPLIES), default=parse_media_type(default))
    if media_type is None:
        raise Refusal(406, f"Accept is {accept}, expected one of {', '.join(REPLIES)}.")
    return REPLIES[media_type.name](media_type)


def require_default(accept: str) -> None:
    """SettingsError unless `accept` may be the default reply."""
    if parse_media_type(accept).name not in REPLIES:
        raise SettingsError(f"The default reply is {accept!r}, expected one of {', '.join(REPLIES)}.")


def require_room(reply: Reply, pixels: PixelArray, num_classes: int) -> None:
    """Refusal 413 when the probabilities of an image would not fit into a reply."""
    height, width = pixels.shape[:2]
    if reply.needs_probabilities and record_size((num_classes, height, width)) > LARGEST_RECORD:
        raise Refusal(
            413,
            f"Probabilities of {num_classes} classes for {width} x {height} px take more than {LARGEST_RECORD} bytes. "
            "Send a smaller image or ask for image/png.",
        )


def _png(asked: MediaType) -> Reply:
    palette = asked.switch("palette")
    if not asked.switch("overlay"):
        return Reply("image/png", lambda _, prediction: _mask(prediction, palette=palette))
    if palette:
        raise Refusal(400, "Accept has overlay and palette, which are two pictures. Ask for one.")
    opacity = _share(asked.parameters.get("opacity", "0.5"))
    return Reply("image/png", lambda received, prediction: _overlaid(received, prediction, opacity))


def _json(_: MediaType) -> Reply:
    return Reply(
        "application/json",
        lambda received, prediction: json.dumps(summary(prediction) | {"notes": received.notes}).encode(),
    )


def _npy(asked: MediaType) -> Reply:
    if asked.switch("probabilities"):
        return Reply("application/x-npy", lambda _, prediction: _array(_shares(prediction)), needs_probabilities=True)
    return Reply("application/x-npy", lambda _, prediction: _array(prediction.class_ids))


def _record(asked: MediaType) -> Reply:
    return Reply(asked.name, lambda _, prediction: encode_record(_shares(prediction)), needs_probabilities=True)


REPLIES: dict[str, Callable[[MediaType], Reply]] = {
    # class ids in gray or with `palette=true`; `overlay=true` for the image under their colours, `opacity` from 0 to 1
    "image/png": _png,
    "application/json": _json,
    "application/x-npy": _npy,  # class ids (H, W) uint8; `probabilities=true` for (K, H, W) float32
    "application/x-recordio-protobuf": _record,
    "application/x-protobuf": _record,
}
"""What a prediction can be answered as; the first of a kind answers `image/*` and `application/*`."""


def summary(prediction: Prediction) -> dict[str, Any]:
    """Size and classes of a class map: pixels, their share of the image, and where they are.

    Places are run lengths as COCO has them: column by column, other pixels first
    (https://github.com/cocodataset/cocoapi/blob/master/PythonAPI/pycocotools/mask.py, "counts").
    """
    class_ids = prediction.class_ids
    height, width = class_ids.shape
    starts, values, lengths = _runs(class_ids)
    classes = []
    for i, (name, color) in enumerate(zip(prediction.labels.names, prediction.labels.colors, strict=True)):
        here = values == i
        counts = _counts(starts[here], lengths[here], class_ids.size)
        pixels = sum(counts[1::2])
        classes.append(
            {
                "id": i,
                "name": name,
                "color": hex_color(color),
                "pixels": pixels,
                "area": pixels / class_ids.size,
                "rle": {"size": [height, width], "counts": counts},
            }
        )
    return {"height": height, "width": width, "classes": classes}


def _runs(class_ids: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Start, class and length of every run of equal pixels, column by column."""
    flat = class_ids.ravel(order="F")
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1]).astype(np.int64)
    return starts, flat[starts], np.diff(starts, append=flat.size)


def _counts(starts: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> list[int]:
    """Other pixels, pixels, other pixels, ... of a class whose runs are given."""
    ends = np.concatenate([[0], starts + lengths])
    counts = np.stack([starts - ends[:-1], lengths], axis=1).ravel().tolist()
    rest = size - int(ends[-1])
    return [*counts, rest] if rest else counts


def _mask(prediction: Prediction, *, palette: bool) -> bytes:
    return _saved(written_mask(prediction.class_ids, prediction.labels, palette=palette))


def _overlaid(received: Received, prediction: Prediction, opacity: float) -> bytes:
    return _saved(overlay(received.picture(), prediction.class_ids, prediction.labels, opacity=opacity))


def _saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _array(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _shares(prediction: Prediction) -> NDArray[np.float32]:
    assert prediction.probabilities is not None
    return prediction.probabilities


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise Refusal(400, f"opacity is {text}, expected a number from 0 to 1.")
    return share
