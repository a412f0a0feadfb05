"""Pixelwise: from a folder of images and masks to a semantic segmentation model a team can trust."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.api.datasets import check, convert, fact_sheet, repair
    from pixelwise.api.evaluations import evaluate, write_report
    from pixelwise.api.models import describe, load, predict, train
    from pixelwise.api.scores import compare, score
    from pixelwise.errors import PixelwiseError
    from pixelwise.exporting.export import export
    from pixelwise.labels import LabelTable
    from pixelwise.settings import Settings

_HOMES = {
    "LabelTable": "labels",
    "PixelwiseError": "errors",
    "Settings": "settings",
    "export": "exporting.export",
    **dict.fromkeys(("check", "convert", "fact_sheet", "repair"), "api.datasets"),
    **dict.fromkeys(("evaluate", "write_report"), "api.evaluations"),
    **dict.fromkeys(("compare", "score"), "api.scores"),
    **dict.fromkeys(("describe", "load", "predict", "train"), "api.models"),
}

__all__ = [
    "LabelTable",
    "PixelwiseError",
    "Settings",
    "check",
    "compare",
    "convert",
    "describe",
    "evaluate",
    "export",
    "fact_sheet",
    "load",
    "predict",
    "repair",
    "score",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    # On first use: the command line must not wait for torch only because it lives in this package.
    if name not in __all__:
        raise AttributeError(f"module 'pixelwise' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"pixelwise.{_HOMES[name]}"), name)
