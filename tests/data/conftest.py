"""Pictures as bytes."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def encoded():
    """The bytes of a picture: encoded(pixels or image, "PNG")."""

    def encode(pixels, kind="PNG", **options) -> bytes:
        content = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
        image.save(content, kind, **options)
        return content.getvalue()

    return encode
