"""JPEG 2000 of more than 8 bits, as satellites' scenes have it: of colours Pillow keeps 8."""

from pixelwise.data.decoders.deep import PixelArray

_SIZ = b"\xff\x4f\xff\x51"  # start of the codestream, then its sizes (ISO/IEC 15444-1, A.5.1)
_SSIZ = 4 + 38  # where the depth of the first component stands, counted from there


def bits_of(content: bytes) -> int:
    """Bits of a sample; 8 where the file does not say."""
    place = content.find(_SIZ) + _SSIZ
    return (content[place] & 0x7F) + 1 if _SSIZ <= place < len(content) else 8


def read_jpeg2000(content: bytes) -> PixelArray:
    """(H, W) or (H, W, C) in the file's depth; an exception of many kinds where it is damaged."""
    import imagecodecs

    values: PixelArray = imagecodecs.jpeg2k_decode(content)
    return values[:, :, :-1] if values.ndim == 3 and values.shape[2] in (2, 4) else values
