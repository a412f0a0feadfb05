"""The endpoint and its page: an image in over HTTP, a class map out."""

from pixelwise.serving.limits import Limits
from pixelwise.serving.protobuf_record import decode_record

__all__ = ["Limits", "decode_record"]
