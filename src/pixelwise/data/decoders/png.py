"""PNG of 16 bits in all of them: of such colours Pillow keeps 8."""

import io
import struct

from PIL import Image

from pixelwise.data.decoders.deep import DeepImage, PixelArray, deep_image


def loses_bits(image: Image.Image) -> bool:
    """Whether the PNG `image`, which Pillow opened and has not decoded, has 16 bits a channel."""
    tiles = getattr(image, "tile", None)
    return tiles is not None and len(tiles) > 0 and ";16" in str(tiles[0][3])


def read_png(content: bytes) -> DeepImage:
    """The pixels of 16 bits, without transparency; an exception of many kinds where the file is damaged."""
    import imagecodecs

    values: PixelArray = imagecodecs.png_decode(content)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values = values[:, :, :-1]
    return deep_image(values, is_color=values.ndim == 3 and values.shape[2] == 3, stated=_stated(content))


def _stated(content: bytes) -> tuple[float, float] | None:
    """From the chunk sBIT, which says how many bits the camera had (PNG, third edition, 11.3.2.7)."""
    file = io.BytesIO(content[8:])
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"sBIT":
            bits = max(file.read(length)[:3], default=16)
            return 0.0, float((1 << min(bits, 16)) - 1)
        if kind == b"IDAT":
            break
        file.seek(length + 4, io.SEEK_CUR)
    return None
