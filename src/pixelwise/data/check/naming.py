"""What the other files of class names beside the data say than the one that counts."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.findings import Finding
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.labels.files.beside import OWN, same_classes
from pixelwise.phrases import first_line, listed, shortened

_SHOWN = 8
_MOST_LETTERS = 300


def other_names(files: Sequence[Path], labels: LabelTable) -> list[Finding]:
    """A finding for each of `files` that contradicts the first, from which `labels` come.

    Beside a classes.json, which was written for Pixelwise, it is a warning; else nothing tells which is right.
    """
    return [finding for other in files[1:] for finding in _contradiction(files[0], labels, other)]


def _contradiction(first: Path, labels: LabelTable, other: Path) -> list[Finding]:
    code = "classes-differ" if first.name == OWN else "classes-file"
    expected = f"the classes of {first} ({listed(labels.names, _SHOWN)})"
    remedy = "Remove the file that is wrong, or say which counts with --classes FILE."
    try:
        names = LabelTable.read(other).names
    except DataError as error:
        found = first_line(error).removeprefix(f"{other}: ").partition(" Expected ")[0].rstrip(".")
        return [Finding(other, shortened(found, _MOST_LETTERS), expected, remedy, code, other=first)]
    if same_classes(labels.names, first.name, names, other.name):
        return []
    return [Finding(other, f"names the classes {listed(names, _SHOWN)}", expected, remedy, code, other=first)]
