"""What the decoder makes of the bytes of a file: a deep image, or a refusal in one sentence."""

import pytest

from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.errors import DataError


def deep(content):
    image = decode(content)
    assert isinstance(image, DeepImage)
    return image


def refused(content, **options):
    with pytest.raises(DataError) as caught:
        decode(content, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)
