"""Which files beside the data name its classes, and which of several counts."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from pixelwise.errors import DataError
from pixelwise.labels.files.entries import NoClassNames
from pixelwise.labels.files.reading import entries_at

OWN = "classes.json"
"""Our own file of class names, which counts before all others."""

CLASS_FILES = (
    OWN,
    "_classes.csv",  # Roboflow
    "dataset.json",  # nnU-Net
    "data.yaml", "data.yml",  # YOLO
    "labelmap.txt",  # CVAT
    "id2label.json",  # Hugging Face
    "classes.txt", "class_names.txt", "labels.txt", "names.txt",
    "classes.csv", "class_dict.csv",  # labels.csv is mostly a list of images
    "label_colors.txt",  # CamVid
)  # fmt: skip
"""The names by which files of class names are found, in the order in which they count."""


def rank(name: str) -> int | None:
    """The place of a file's name in CLASS_FILES; None: it is none of these."""
    base = PurePosixPath(name).name
    return CLASS_FILES.index(base) if base in CLASS_FILES else None


def found_beside(folders: Iterable[Path]) -> tuple[Path, ...]:
    """The files in `folders` that name classes, the one that counts first; those that speak of something else are none.

    A file that names them wrongly is among them: whoever reads it says what is wrong.
    """
    places = list(dict.fromkeys(folders))
    files = (folder / name for name in CLASS_FILES for folder in places)
    return tuple(
        file for file in files if file.exists() and (file.name == OWN or (file.is_file() and _speaks_of_classes(file)))
    )


def _speaks_of_classes(file: Path) -> bool:
    """Whether a file, by its content, is meant to name classes."""
    try:
        entries_at(file)
    except NoClassNames:
        return False
    except DataError:
        return True
    return True


def same_classes(names: Sequence[str], file: str, others: Sequence[str], other: str) -> bool:
    """Whether two files name the same classes in the same order; YOLO's may leave the background out."""
    if list(names) == list(others):
        return True
    by_yolo = PurePosixPath(file).suffix in (".yaml", ".yml"), PurePosixPath(other).suffix in (".yaml", ".yml")
    return (by_yolo[0] and list(others[1:]) == list(names)) or (by_yolo[1] and list(names[1:]) == list(others))
