"""The bytes of a file of class names as text."""

import codecs

# (the mark at the beginning, what follows it); UTF-16 is what Excel calls "Unicode text".
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MOST_BYTES = 2_000_000


def text_of(content: bytes, most: int = _MOST_BYTES) -> str:
    """UTF-8, with or without the mark of Windows editors, or UTF-16 with its mark.

    Raises:
        ValueError: it has more than `most` bytes, is in another encoding or is no text; the message says where.
    """
    if len(content) > most:
        raise ValueError(f"it has {len(content):,} bytes, more than {most:,}")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"line {line} is no {encoding.removesuffix('-sig').upper()}: byte 0x{content[error.start]:02x}; save it as "
            "UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a NUL: it is no text in UTF-8")
    return text
