"""The folders of a dataset by name, and the types of images in them."""

from pixelwise.data.decoders.formats import ARRAY_SUFFIXES, IMAGE_SUFFIXES

__all__ = ["ARRAY_SUFFIXES", "CHANNELS", "IMAGE_SUFFIXES", "SPLITS"]

SPLITS = ("train", "validation", "test")
CHANNELS = tuple(name for split in SPLITS for name in (split, f"{split}_annotation"))
