"""Whose mask is whose by name: endings that people put behind names, and who is left without a partner."""

import bisect
import re
from collections.abc import Iterable
from functools import partial
from pathlib import PurePosixPath

from pixelwise.data.dataset.layout import MASK_ENDINGS
from pixelwise.data.dataset.listing import Listing
from pixelwise.data.findings import Finding
from pixelwise.errors import DataError
from pixelwise.phrases import counted, listed

_CHANNEL = re.compile(r"_[0-9]{4}$")  # behind the names of nnU-Net's images: one file a channel


def name_alike(images: Listing, masks: Listing) -> None:
    """Shorten the names of masks or images by an ending, where more pairs are found so than by equal names.

    Masks may be called `a_mask`. Images may be called `a_0000`, as nnU-Net calls the first channel.

    Raises:
        DataError: images have more channels than that, in a file each.
    """
    matches = {ending: sum(f"{name}{ending}" in masks.files for name in images.files) for ending in ("", *MASK_ENDINGS)}
    best = max(matches, key=lambda ending: matches[ending])
    cases = [name for name in images.files if _CHANNEL.search(name) and _CHANNEL.sub("", name) in masks.files]
    if len(cases) <= matches[best]:
        masks.shorten(best)
        return
    others = [name for name in cases if not name.endswith("_0000")]
    if others:
        first = f"{others[0][:-5]}_0000"
        shown = [images.path(name).name for name in (first, others[0]) if name in images.files]
        mask = masks.path(first[:-5]).name
        raise DataError(
            f"{images.folder}: holds a file for each channel ({listed(shown)} of the mask {mask}), which is not read. "
            "Expected one file for each image; write the channels of each case into one TIFF or PNG named as its mask, "
            "or leave the files of one channel only, _0000."
        )
    images.shorten("_0000")


def side_by_side(listing: Listing) -> tuple[Listing, Listing]:
    """The images and the masks of one folder, in which masks are named after images with an ending behind."""
    counts = {end: sum(f"{name}{end}" in listing.files for name in listing.files) for end in MASK_ENDINGS}
    best = max(counts, key=lambda ending: counts[ending])
    of_masks = {name for name in listing.files if name.endswith(best) and counts[best]}
    images, masks = (
        Listing(listing.folder, listing.suffixes, {name: listing.files[name] for name in names})
        for names in (listing.files.keys() - of_masks, of_masks)
    )
    images.findings = listing.findings
    masks.shorten(best)
    return images, masks


def unmatched(images: Listing, masks: Listing) -> list[Finding]:
    """The faults of files without a partner; one fault with examples of both where no file has one."""
    if not images.files.keys() & masks.files.keys() and min(len(images.files), len(masks.files)) > 1:
        return [_nothing_alike(images, masks)]
    lone_images = _Lone(images.files.keys() - masks.files.keys())
    lone_masks = _Lone(masks.files.keys() - images.files.keys())
    findings = [
        Finding(
            images.path(name), "has no mask", f"a mask named {name}.png",
            _partner(name, lone_masks, "mask") or "Add the mask or remove the image.", "image-without-mask",
        )
        for name in lone_images.names
    ]  # fmt: skip
    findings += [
        Finding(
            masks.path(name), "has no image", f"an image named {name}.jpg, .png, ...",
            _partner(name, lone_images, "image") or "Add the image or remove the mask.", "mask-without-image",
        )
        for name in lone_masks.names
    ]  # fmt: skip
    return findings


class _Lone:
    """Names without a partner, ready to be searched for a likely one."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)
        self.by_case = {name.casefold(): name for name in self.names}


def _partner(name: str, others: _Lone, what: str) -> str | None:
    """A remedy that names a likely partner: equal but for case, or the longest common beginning."""
    same = others.by_case.get(name.casefold())
    if same is not None:
        return f"The {what} {same!r} differs only in case; rename one of them."
    place = bisect.bisect(others.names, name)
    around = others.names[max(0, place - 1) : place + 1]
    best = max(around, key=partial(_shared_beginning, name), default=None)
    if best is None or 2 * _shared_beginning(name, best) < min(len(name), len(best)):
        return None
    return f"Pairs have equal names apart from the suffix; if {what} {best!r} belongs to it, rename one of them."


def _shared_beginning(name: str, other: str) -> int:
    differing = (i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b)
    return next(differing, min(len(name), len(other)))


def _nothing_alike(images: Listing, masks: Listing) -> Finding:
    """No name fits: what both sides are called, and how to bring them in all the same."""
    some = [
        listed((listing.path(name).relative_to(listing.folder) for name in sorted(listing.files)[:2]), 2)
        for listing in (images, masks)
    ]
    deeper = _deeper(images, masks)
    remedy = (
        f"The masks of these names lie in {masks.folder / deeper}: give that folder as the annotation channel."
        if deeper
        else "Give an image and its mask one name, apart from the suffix, or say how names fit: `pixelwise convert "
        f"id-masks DATASET OUT --images '{images.folder.name}/{{name}}.jpg' --masks '{_masks_pattern(images, masks)}'`."
    )
    found = (
        f"holds {counted(len(images.files), 'image')} such as {some[0]}, and none has a mask of its name among the "
        f"{len(masks.files):,} of {masks.folder}, such as {some[1]}"
    )
    expected = "masks named after their images, a.png or a_mask.png of a.jpg"
    return Finding(images.folder, found, expected, remedy, "image-without-mask", other=masks.folder)


def _deeper(images: Listing, masks: Listing) -> str | None:
    """The folder below that of the masks in which most images would find theirs."""
    places = {PurePosixPath(name).parts[0] for name in masks.files if "/" in name}
    fits = {place: sum(f"{place}/{name}" in masks.files for name in images.files) for place in sorted(places)}
    best = max(fits, key=lambda place: fits[place], default=None)
    return best if best is not None and 2 * fits[best] > len(images.files) else None


def _masks_pattern(images: Listing, masks: Listing) -> str:
    """How masks are called after images, such as "masks/seg-{name}.png", by the first mask that holds a name."""
    name = min(images.files)
    fit = next((mask for mask in sorted(masks.files) if name in mask), None)
    return f"{masks.folder.name}/{fit.replace(name, '{name}', 1) if fit else 'mask_{name}'}.png"
