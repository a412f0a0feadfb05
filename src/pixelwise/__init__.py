"""Pixelwise: from a folder of images and masks to a semantic segmentation model a team can trust."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.api import check, evaluate, load, predict, score, train
    from pixelwise.errors import PixelwiseError
    from pixelwise.labels import LabelTable
    from pixelwise.settings import Settings

__all__ = ["LabelTable", "PixelwiseError", "Settings", "check", "evaluate", "load", "predict", "score", "train"]

_HOMES = {"LabelTable": "labels", "PixelwiseError": "errors", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    # On first use: the command line must not wait for torch only because it lives in this package.
    if name not in __all__:
        raise AttributeError(f"module 'pixelwise' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"pixelwise.{_HOMES.get(name, 'api')}"), name)
