"""Pixelwise: from a folder of images and masks to a semantic segmentation model a team can trust."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.api.datasets import check, convert, fact_sheet, repair
    from pixelwise.api.models import describe, evaluate, load, predict, score, train
    from pixelwise.errors import PixelwiseError
    from pixelwise.labels import LabelTable
    from pixelwise.settings import Settings

_HOMES = {
    "LabelTable": "labels",
    "PixelwiseError": "errors",
    "Settings": "settings",
    **dict.fromkeys(("check", "convert", "fact_sheet", "repair"), "api.datasets"),
    **dict.fromkeys(("describe", "evaluate", "load", "predict", "score", "train"), "api.models"),
}

__all__ = [
    "LabelTable",
    "PixelwiseError",
    "Settings",
    "check",
    "convert",
    "describe",
    "evaluate",
    "fact_sheet",
    "load",
    "predict",
    "repair",
    "score",
    "train",
]


def __getattr__(name: str) -> Any:
    # On first use: the command line must not wait for torch only because it lives in this package.
    if name not in __all__:
        raise AttributeError(f"module 'pixelwise' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"pixelwise.{_HOMES[name]}"), name)
