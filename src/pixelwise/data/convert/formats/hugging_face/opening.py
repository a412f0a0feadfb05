"""Open a dataset of Hugging Face: as save_to_disk writes it, as parquet files, or by its name on the hub."""

import posixpath
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from pixelwise.data.convert.matching.references import split_of
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError, MissingExtra
from pixelwise.phrases import first_line, listed

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_EXPECTED = "a folder that save_to_disk wrote, a folder with parquet files, or OWNER/NAME on the hub"

_Opened = TypeVar("_Opened")


def library() -> Any:
    """The package `datasets`, without its progress bars; MissingExtra where it is not installed."""
    try:
        datasets = import_module("datasets")
    except ImportError:
        raise MissingExtra("hf", "Reading datasets of Hugging Face") from None
    datasets.disable_progress_bars()
    return datasets


def open_splits(source: Source) -> Mapping[str, Any]:
    """{name of a split, or of the folder that holds it: its `datasets.Dataset`}; no code of a dataset is ever run.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: nothing of these kinds is at the path of `source`, it is damaged, or it could not be fetched.
    """
    path = source.path
    if path.is_file():
        raise DataError(f"{path}: is a file, expected {_EXPECTED}. Unpack it and give the folder.")
    if not path.exists():
        return _of_hub(path)
    datasets = library()
    saved = [posixpath.dirname(name) for name in source.names if posixpath.basename(name) == "state.json"]
    if saved:
        return {
            posixpath.basename(folder) or path.name: _opened(path / folder, datasets.load_from_disk, str(path / folder))
            for folder in saved
        }
    files: dict[str, list[str]] = {}
    for name in source.names:
        if name.lower().endswith(".parquet"):
            files.setdefault(split_of(name) or "all", []).append(str(path / name))
    if not files:
        raise DataError(
            f"{path}: has neither state.json, as save_to_disk writes it, nor parquet files. Expected {_EXPECTED}. Give "
            "the folder of the dataset."
        )
    splits: Mapping[str, Any] = _opened(path, datasets.load_dataset, "parquet", data_files=files)
    return splits


def _of_hub(path: Path) -> Mapping[str, Any]:
    name = path.as_posix()
    if not _NAME.fullmatch(name):
        raise DataError(f"{path}: does not exist, expected {_EXPECTED}. Check the path.")
    datasets = library()
    # Versions before 4 ask on the terminal whether the code of a dataset may run; here it never may.
    datasets.config.HF_DATASETS_TRUST_REMOTE_CODE = False
    try:
        splits: Mapping[str, Any] = datasets.load_dataset(name)
    except Exception as error:  # of the network, of the hub, of a builder
        raise DataError(
            f"{name}: does not exist here and could not be fetched from the hub ({first_line(error)}). Expected "
            f"{_EXPECTED}. Check the name and the connection, or fetch it elsewhere and give its folder."
        ) from None
    return splits


def _opened(path: Path, opening: Callable[..., _Opened], *args: Any, **options: Any) -> _Opened:
    try:
        return opening(*args, **options)
    except Exception as error:  # what is damaged ends in OSError, ArrowInvalid, KeyError, DatasetGenerationError ...
        cause = error.__cause__ or error
        raise DataError(
            f"{path}: cannot be read as a dataset of Hugging Face ({first_line(cause)}). Expected {_EXPECTED}. Save or "
            "fetch it again."
        ) from None


def refuse_columns(where: Path, columns: Mapping[str, str], problem: str) -> DataError:
    """The error of columns that do not tell images and masks, with what there is."""
    found = listed((f"{name} ({kind})" for name, kind in columns.items()), 12)
    return DataError(f"{where}: {problem}. It has the columns {found}. Name both, such as --images image --masks mask.")
