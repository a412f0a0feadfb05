"""Predictor: any image in, a class map of exactly its size out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixelwise.bundle import Bundle
from pixelwise.data.bands import Bands
from pixelwise.data.decoders.deep import DeepImage, PixelArray
from pixelwise.data.findings import FileFault
from pixelwise.data.planes import Picture, Planes, read_picture
from pixelwise.errors import DataError
from pixelwise.inference.forward import class_logits, likeliest, probabilities_of
from pixelwise.inference.pictures import in_prediction
from pixelwise.inference.render import save_png, written_mask
from pixelwise.inference.views import Views, averaged_logits
from pixelwise.labels import LabelTable
from pixelwise.runtime import Runtime

ImageSource = Path | str | bytes | Image.Image | Planes | NDArray[Any]


class Prediction(NamedTuple):
    """The class map of one image."""

    class_ids: NDArray[np.uint8]  # (H, W), 0..K-1
    labels: LabelTable
    probabilities: NDArray[np.float32] | None = None  # (K, H, W), summing to 1 over the classes

    def save(self, path: Path | str, *, palette: bool = False) -> None:
        """Write the class map as an 8-bit gray PNG whose pixel values are the class ids.

        With `palette` it is a palette PNG, as VOC's masks are: viewers show the classes' colours, and programs that
        resolve the palette read other numbers.
        """
        save_png(Path(path), written_mask(self.class_ids, self.labels, palette=palette))


class Predictor:
    """A model ready to predict on a device.

    Attributes:
        model: the network, in eval mode.
        labels: the classes that it tells apart.
        bands: what images must have, and what of them the network is given.
        temperature: what divides the logits before they become probabilities.
        views: what predictions are the mean of, with `tta`; else None.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, *, tile: int | None = None, tta: bool = False) -> None:
        self.labels, self.bands, self.runtime, self.tile = bundle.labels, bundle.bands, runtime, tile
        self.temperature = bundle.temperature
        self.views = Views.of_training(bundle.settings, bundle.labels) if tta else None
        model = bundle.build_model()
        self.model = model.to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(self, image: ImageSource, *, probabilities: bool = False) -> Prediction:
        """Predict the class of every pixel.

        Args:
            image: a path, an encoded image as bytes, a PIL image of any mode, or a uint8 array (H, W, 3) in
                RGB or (H, W) in gray; for a model of other `bands` an array (H, W, C) of their depth. The class
                map has the size and the orientation of the image as viewers show it, that is after its EXIF
                orientation.
            probabilities: also give (K, H, W) float32 probabilities.

        Raises:
            DataError: the image cannot be read; the message says why.
        """
        try:
            picture = image if isinstance(image, Planes) else read_picture(_source(image, self.bands), self.bands)
        except FileFault as fault:
            raise FileFault(in_prediction(fault.finding)) from None
        return self.predict_batch(pixels_of(picture)[None], probabilities=[probabilities])[0]

    def predict_batch(self, pixels: NDArray[Any], *, probabilities: Sequence[bool]) -> list[Prediction]:
        """Predict images of equal size together, (N, H, W, C) as `pixels_of` gives them, RGB as a rule.

        `probabilities` says which get theirs.
        """
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits = self._logits(images)
            class_ids = likeliest(logits).cpu().numpy()
            shares = [
                probabilities_of(logits[i : i + 1], self.temperature)[0].cpu().numpy() if is_asked else None
                for i, is_asked in enumerate(probabilities)
            ]
        return [Prediction(ids, self.labels, share) for ids, share in zip(class_ids, shares, strict=True)]

    def _logits(self, images: Tensor) -> Tensor:
        if self.views is None:
            return class_logits(self.model, images, runtime=self.runtime, tile=self.tile)
        views, temperature = self.views, self.temperature
        return averaged_logits(
            self.model, images, views=views, temperature=temperature, runtime=self.runtime, tile=self.tile
        )


def pixels_of(picture: Picture) -> PixelArray:
    """(H, W, C) of a decoded image, a copy that torch may own."""
    if isinstance(picture, Planes):
        return np.ascontiguousarray(picture.values().transpose(1, 2, 0))
    return np.array(picture)


def _source(image: ImageSource, bands: Bands) -> Path | bytes | Image.Image | DeepImage:
    if isinstance(image, np.ndarray):
        return _from_array(image) if bands.is_photograph else _from_deep_array(image, bands)
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (Path, bytes, Image.Image)):
        return image
    if isinstance(image, str):
        return Path(image)
    raise DataError(
        f"Found {type(image).__name__} where an image was expected. Give a path, the bytes of an image file, "
        "a PIL image or a NumPy array."
    )


def _from_array(pixels: NDArray[Any]) -> Image.Image:
    is_gray, is_rgb = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[-1] == 3
    if pixels.dtype != np.uint8 or not (is_gray or is_rgb) or 0 in pixels.shape:
        raise DataError(
            f"The array is {pixels.dtype} {pixels.shape}, expected uint8 of shape (height, width, 3) in RGB "
            "or (height, width) in gray. Convert it, for example (255 * array).astype('uint8') from 0..1."
        )
    return Image.fromarray(np.ascontiguousarray(pixels))


def _from_deep_array(pixels: NDArray[Any], bands: Bands) -> DeepImage:
    array = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if array.ndim != 3 or 0 in array.shape or array.shape[2] != bands.in_file or array.dtype != bands.depth:
        raise DataError(
            f"The array is {pixels.dtype} {pixels.shape}, expected {bands.depth} of shape (height, width, "
            f"{bands.in_file}): the images that the model was trained on are {bands.text()}."
        )
    return DeepImage(array, bands.is_color)
