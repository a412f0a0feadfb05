"""Padding: the multiple that image sides must have for a trunk, and whether it looks at them tile by tile."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pixelwise.errors import SettingsError

LARGEST = 1 << 14
"""Pixels; no trunk asks for more."""


class Padding(NamedTuple):
    """What a trunk asks of the sides of its images."""

    multiple: int  # pixels; 1 where it takes any
    tile: int = 0  # side in pixels of what it sees at once, for trunks of one image size; 0 for all others

    def to_json(self) -> dict[str, int]:
        """As a bundle keeps it, for finding it takes a while."""
        return self._asdict()

    @classmethod
    def from_json(cls, value: Any, *, source: str) -> "Padding | None":
        """What a bundle keeps; None for one of before it was kept. Raises SettingsError for anything else."""
        if value is None:
            return None
        fields = value if isinstance(value, dict) else {}
        multiple, tile = fields.get("multiple"), fields.get("tile")
        if (
            type(multiple) is not int
            or not 1 <= multiple <= LARGEST
            or type(tile) is not int
            or tile not in (0, multiple)
        ):
            raise SettingsError(
                f"{source}: padding is {value!r}, expected a multiple of 1 to {LARGEST} pixels, and a tile of 0 or as "
                "many."
            )
        return cls(multiple, tile)


def find_padding(
    runs: Callable[[tuple[int, int], Padding, bool], bool], strides: Iterable[int], own_size: int
) -> Padding | None:
    """The smallest multiple that works, tiles of `own_size` where none does, None where these do not either.

    Args:
        runs: whether the trunk takes images of a height and width, padded so, and, where the last argument is true,
            gives maps that reach to the last row and column.
        strides: of the trunk's maps.
        own_size: side of the images that the trunk was made for, in pixels.
    """
    largest = max(strides)
    multiples = [1, *(side for side in (largest, 32, 64, own_size) if side % largest == 0), own_size]
    for to_the_border in (True, False):
        for multiple in multiples:
            sizes = ((1, 1), (33, 65), (multiple + 1, 1))
            if all(runs(size, Padding(multiple), to_the_border) for size in sizes):
                return Padding(multiple)
    tiles = Padding(own_size, own_size)  # of one size only: such a trunk looks at the image tile by tile
    return tiles if runs((1, 1), tiles, False) else None
