"""What became of all objects of a conversion, whatever part of it an earlier run did."""

from collections.abc import Mapping

from pixelwise.data.convert.objects import Objects
from pixelwise.data.convert.writing.journal import Done
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE
from pixelwise.phrases import counted


def accounted(done: Mapping[str, Done], orphans: Objects | None) -> tuple[Objects | None, list[str]]:
    """The sum over what is done and the notes on it; None where the format has masks and no objects.

    Raises:
        DataError: no mask has a pixel of a class, or the format has objects and none is where it is meant to be.
    """
    counts = {place: entry.objects for place, entry in done.items() if entry.objects is not None}
    whole = Objects.united([*counts.values(), *([orphans] if orphans is not None else [])]) if counts else None
    if whole is not None and not whole.given:
        raise DataError(
            f"none of its {counted(len(counts), 'image')} has an annotation, expected objects in some of them. "
            "Annotate them, or export the annotations again."
        )
    if whole is not None and not whole.sound:
        raise DataError(whole.refusal())
    if done and not any(entry.classes for entry in done.values()):
        raise DataError(
            f"none of its {counted(len(done), 'mask')} has a pixel of a class: all are ignored. Check that the classes "
            "given are those of the masks."
        )
    if whole is None:
        return None, []
    return whole, [*whole.notes(), *_bare({place: done[place] for place, found in counts.items() if not found.given})]


def _bare(done: Mapping[str, Done]) -> list[str]:
    """Notes on images on which nobody drew; a mask has one value there, of the background or ignored."""
    notes = []
    for ignored, state in ((False, "all background"), (True, "ignored throughout")):
        places = [place for place, entry in done.items() if (IGNORE in entry.pixels) is ignored]
        if places:
            having, masks = ("has", "its mask is") if len(places) == 1 else ("have", "their masks are")
            notes.append(
                f"{counted(len(places), 'image')} {having} no annotation: {masks} {state}. Remove what nobody has "
                f"looked at; the first is {places[0].partition('/')[2]}."
            )
    return notes
