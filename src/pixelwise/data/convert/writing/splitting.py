"""Divide images into training and validation so that every class keeps its share in both."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.dataset.channels import SPLITS
from pixelwise.errors import DataError
from pixelwise.phrases import counted

Presence = npt.NDArray[np.bool_]
"""(N, K): which image has pixels of which class."""


class Unit(NamedTuple):
    """What a division needs to know of an image."""

    name: str
    split: str | None  # as the source says
    classes: frozenset[int]


def divide(units: Sequence[Unit], *, validation_share: float, seed: int) -> tuple[list[str], list[str]]:
    """The split of each unit and notes on what was decided; where the source has both splits, they stand.

    Otherwise the images of train (of validation or test, if there are no others) are divided. The result depends on
    the names, the classes and the seed, not on the order.

    Raises:
        DataError: there is one image or none to divide.
    """
    splits = {unit.split for unit in units}
    if {"train", "validation"} <= splits:
        return [unit.split or "train" for unit in units], []
    pool = None if None in splits else next((split for split in SPLITS if split in splits), None)
    chosen = [i for i, unit in enumerate(units) if unit.split == pool]
    if len(chosen) < 2:
        raise DataError(
            f"The source has {counted(len(chosen), 'convertible image')} to divide, expected at "
            "least 2: one for train and one for validation."
        )
    validation = stratified([units[i] for i in chosen], validation_share=validation_share, seed=seed)
    made = dict(zip(chosen, ("validation" if held else "train" for held in validation), strict=True))
    lacking = {None: "splits", "train": "validation images"}.get(pool, "training images")
    of_pool = f" {pool}" if pool else ""
    note = (
        f"The source has no {lacking}: {sum(validation)} of its {len(chosen)}{of_pool} images became validation, "
        f"stratified by class with seed {seed}."
    )
    return [made.get(i) or unit.split or "train" for i, unit in enumerate(units)], [note]


def stratified(units: Sequence[Unit], *, validation_share: float, seed: int) -> list[bool]:
    """Whether each of two or more units is for validation.

    Iterative stratification: Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD
    2011, figure 1. Every class that occurs is in train, and at least one image is in each part.
    """
    order = sorted(range(len(units)), key=lambda i: _drawn(units[i].name, seed))
    num_classes = 1 + max((max(unit.classes, default=0) for unit in units), default=0)
    presence = np.zeros((len(units), num_classes), dtype=np.bool_)
    for row, i in enumerate(order):
        presence[row, sorted(units[i].classes)] = True
    held = _iterative(presence, validation_share)
    _repair(presence, held)
    result = [False] * len(units)
    for row, i in enumerate(order):
        result[i] = bool(held[row])
    return result


def _drawn(name: str, seed: int) -> bytes:
    """A draw for each name that depends on nothing else, in place of shuffling."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _iterative(presence: Presence, validation_share: float) -> npt.NDArray[np.bool_]:
    """(N,) who is for validation; ties go to train, rows are taken in their order."""
    shares = np.array([1 - validation_share, validation_share])
    wanted = shares * len(presence)  # (2,): images that each part still lacks
    wanted_by_class = np.outer(presence.sum(axis=0), shares)  # (K, 2)
    left = np.ones(len(presence), dtype=np.bool_)
    held = np.zeros(len(presence), dtype=np.bool_)
    while True:
        remaining = presence[left].sum(axis=0)
        if not remaining.any():
            break
        rarest = int(np.argmin(np.where(remaining > 0, remaining, len(presence) + 1)))
        for row in np.flatnonzero(left & presence[:, rarest]):
            part = _neediest(wanted_by_class[rarest], wanted)
            held[row], left[row] = part == 1, False
            wanted_by_class[presence[row], part] -= 1
            wanted[part] -= 1
    for row in np.flatnonzero(left):  # images in which everything is ignored
        part = _neediest(wanted, wanted)
        held[row] = part == 1
        wanted[part] -= 1
    return held


def _neediest(first: npt.NDArray[np.float64], then: npt.NDArray[np.float64]) -> int:
    # Rounded, because 5 * 0.2 and 1 - 0.8 are no exact numbers and ties decide.
    return 1 if (round(first[1], 9), round(then[1], 9)) > (round(first[0], 9), round(then[0], 9)) else 0


def _repair(presence: Presence, held: npt.NDArray[np.bool_]) -> None:
    """Bring every class into train, then at least one image into either part."""
    for class_id in range(presence.shape[1]):
        having = presence[:, class_id]
        if having.any() and not (having & ~held).any():
            held[np.flatnonzero(having)[0]] = False
    if held.all():
        held[0] = False
    if not held.any():
        # Prefer an image whose classes all occur elsewhere too.
        lone = (presence & (presence.sum(axis=0) == 1)).sum(axis=1)
        held[int(np.argmin(lone))] = True
