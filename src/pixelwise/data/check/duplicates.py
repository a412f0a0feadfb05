"""The same picture, or nearly the same, in two splits: fingerprints, and the search among them."""

import filecmp
import re
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.decoders.decode import decode
from pixelwise.data.planes import deep
from pixelwise.data.reading import read_image, to_rgb
from pixelwise.errors import PixelwiseError

WORDS = 10
"""A fingerprint's length in uint64: the coarse hash, 4 words of signs, 4 of which differences count, a digest."""

NEAR = 0.10
"""The largest distance of two pictures that count as nearly the same.

Photographs recompressed, rescaled or changed in colour lie below 0.09, shifted by a hundredth of the width below 0.10;
among 400,000 pairs of photographs of one kind (a person upright in a street) the nearest unlike ones are at 0.17.
"""

FINEST = 34
"""Pictures of this side have two pixels for each cell; smaller ones make poorer fingerprints."""

_COARSE_NEAR = 10  # of 64: copies differ by 7 at most, shifted ones by 9; one unlike pair in 500 passes
_SIGNIFICANT = 3  # gray levels between neighbouring cells; below it are rounding and the marks of JPEG
_ENOUGH = 32  # significant differences of 256 that make a picture one that can be recognised
_COARSE, _SIGNS, _COUNTS, _DIGEST = 0, slice(1, 5), slice(5, 9), 9
_ROWS, _COLUMNS = 128, 2048  # pictures compared at once: 2 MB of pairs, which stay in the processor's cache
_MANY = 256  # pictures nearly the same after which a picture's search ends

_FRAMES = 60
_SECONDS = 2

Fingerprint = npt.NDArray[np.uint64]
"""(10,) of one picture, as `fingerprint` makes it."""

Fingerprints = npt.NDArray[np.uint64]
"""(N, 10), one row a picture."""


class Twin(NamedTuple):
    """A picture of the second set and its nearest in the first, by their rows; distance 0.0 (equal) to NEAR."""

    first: int
    second: int
    distance: float


def fingerprint(image: Image.Image) -> Fingerprint:
    """(10,) uint64 of a picture of any size and mode; a JPEG decoded at an eighth of its size is enough.

    A difference hash (N. Krawetz, "Kind of Like That", 2013): whether a cell of the gray picture is brighter than
    its left neighbour, on 9 x 8 cells to search with and on 17 x 16 to decide, there with the differences too small
    to mean anything noted. Where only few are large, as in a picture of one colour, the hash would be noise; such a
    picture has a digest of its pixels in place of it and only equals itself.
    """
    rgb = image if image.mode in ("RGB", "L") else to_rgb(image)
    gray, covered = _reduced(rgb)
    row = np.zeros(WORDS, dtype=np.uint64)
    fine = _differences(gray, covered, 16)
    significant = np.abs(fine) >= _SIGNIFICANT
    if int(significant.sum()) < _ENOUGH:
        content = blake2b(rgb.tobytes(), digest_size=8, key=f"{rgb.mode} {rgb.size}".encode()).digest()
        row[_DIGEST] = max(1, int.from_bytes(content))
        return row
    row[_COARSE] = _packed(_differences(gray, covered, 8) > 0)[0]
    row[_SIGNS] = _packed(fine > 0)
    row[_COUNTS] = _packed(significant)
    return row


def across(first: Fingerprints, second: Fingerprints) -> list[Twin]:
    """For each picture of `second` that has one nearly the same in `first`, the nearest, in the order of `second`.

    The distance is the share of the differences that mean something in either picture and have opposite signs.
    Every pair is compared, in blocks: 80,000 x 20,000 take some seconds and a few MB. Only where hundreds are nearly
    the same, as from a camera that stands still, the nearest of the first hundreds is given.
    """
    digests = {int(first[row, _DIGEST]): int(row) for row in np.flatnonzero(first[:, _DIGEST])[::-1]}
    flat = [(int(second[row, _DIGEST]), int(row)) for row in np.flatnonzero(second[:, _DIGEST])]
    matches = [Twin(digests[digest], row, 0.0) for digest, row in flat if digest in digests]
    columns = np.flatnonzero(first[:, _DIGEST] == 0)
    known = first[columns]
    rows = np.flatnonzero(second[:, _DIGEST] == 0)
    for top in range(0, len(rows), _ROWS):
        some = rows[top : top + _ROWS]
        nearest, distances = _nearest(known, second[some])
        found = np.flatnonzero(distances <= NEAR)
        matches += [Twin(int(columns[nearest[row]]), int(some[row]), float(distances[row])) for row in found]
    return sorted(matches, key=lambda match: match.second)


def same_picture(first: Path, second: Path) -> bool:
    """Whether two files have equal bytes, or else equal pixels once decoded and upright, in the files' own depth."""
    try:
        if filecmp.cmp(first, second, shallow=False):
            return True
        one, other = decode(first), decode(second)
        if sorted(one.size) != sorted(other.size):
            return False
        if isinstance(one, Image.Image) and isinstance(other, Image.Image):
            one, other = read_image(one), read_image(other)
            return one.size == other.size and one.tobytes() == other.tobytes()
        values, others = deep(one).values, deep(other).values
        is_real = values.dtype.kind == "f"
        return values.dtype == others.dtype and np.array_equal(values, others, equal_nan=is_real)
    except (PixelwiseError, OSError):  # a file that does not decode is a finding of its own
        return False


def video_neighbours(first: str, second: str) -> bool:
    """Whether two names are those of neighbouring frames: equal but for one number, which is close.

    Close is within 60, two seconds at 30 frames a second: CamVid's 0001TP_006690 and 0001TP_006720 are, being every
    thirtieth frame. Numbers of 13 digits and more are times (ms, us or ns since 1970) and close within two seconds.
    Names of unrelated pictures are often numbered too, so ask only of pictures that are nearly the same.
    """
    parts, others = re.split(r"([0-9]+)", first), re.split(r"([0-9]+)", second)
    differing = [(a, b) for a, b in zip(parts, others, strict=False) if a != b]
    if len(parts) != len(others) or len(differing) != 1 or not all(part.isdecimal() for part in differing[0]):
        return False
    a, b = differing[0]
    digits = max(len(a), len(b))
    return abs(int(a) - int(b)) <= (_FRAMES if digits < 13 else _SECONDS * 10 ** (digits - 10))


def _reduced(image: Image.Image) -> tuple[Image.Image, tuple[float, float]]:
    """The gray picture at about 48 px on its shorter side, quickly, and the width and height that it truly covers.

    The last column and row of plain averages may stand for a part only; taken as whole, they would shift the cells.
    """
    factor = max(1, min(image.size) // 48)
    reduced = image.reduce(factor) if factor > 1 else image
    return reduced.convert("L"), (image.width / factor, image.height / factor)


def _differences(gray: Image.Image, covered: tuple[float, float], cells: int) -> npt.NDArray[np.int16]:
    """(cells, cells) of brightness, each cell's left neighbour taken from it."""
    resized = gray.resize((cells + 1, cells), Image.Resampling.BILINEAR, box=(0, 0, *covered))
    values: npt.NDArray[np.int16] = np.asarray(resized, dtype=np.int16)
    return values[:, 1:] - values[:, :-1]


def _packed(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    return np.packbits(bits).view(np.uint64)


def _nearest(known: Fingerprints, asked: Fingerprints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """For each of a few pictures, which of the known ones is nearest and how far; inf where none is near."""
    nearest = np.zeros(len(asked), dtype=np.intp)
    distances = np.full(len(asked), np.inf)
    met = np.zeros(len(asked), dtype=np.intp)
    for left in range(0, len(known), _COLUMNS):
        some = known[left : left + _COLUMNS]
        going_on = np.flatnonzero(met < _MANY)
        differing = np.bitwise_count(asked[going_on, _COARSE, None] ^ some[None, :, _COARSE])
        i, j = np.nonzero(differing <= _COARSE_NEAR)
        i = going_on[i]
        distance = _distance(asked[i, 1:9], some[j, 1:9])
        near = np.flatnonzero(distance <= NEAR)
        near = near[np.lexsort((distance[near], i[near]))]
        rows, begins, counts = np.unique(i[near], return_index=True, return_counts=True)
        best = near[begins]
        better = distance[best] < distances[rows]
        nearest[rows[better]] = left + j[best[better]]
        distances[rows[better]] = distance[best[better]]
        met[rows] += counts
    return nearest, distances


def _distance(fine: Fingerprints, others: Fingerprints) -> npt.NDArray[np.float64]:
    """(N,) of N pairs of fine hashes: the opposite signs among the differences that count in either, as a share."""
    counting = fine[:, 4:] | others[:, 4:]
    opposite = (fine[:, :4] ^ others[:, :4]) & counting
    share: npt.NDArray[np.float64] = _sum(np.bitwise_count(opposite)) / _sum(np.bitwise_count(counting))
    return share


def _sum(counts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    wide = counts.astype(np.uint16)
    total: npt.NDArray[np.uint16] = wide[:, 0] + wide[:, 1] + wide[:, 2] + wide[:, 3]  # far quicker than sum(axis=1)
    return total


def within(pictures: Fingerprints) -> list[Twin]:
    """Links among the pictures of one set that are nearly the same: `first` before `second`, by their rows.

    Each half is compared with the other, both ways, so that of many alike every one has a link; not all have all.
    """
    if len(pictures) <= _FEW:
        return _among_few(pictures)
    half = len(pictures) // 2
    left, right = pictures[:half], pictures[half:]
    links = [Twin(link.first, half + link.second, link.distance) for link in across(left, right)]
    links += [Twin(link.second, half + link.first, link.distance) for link in across(right, left)]
    inside = [Twin(half + link.first, half + link.second, link.distance) for link in within(right)]
    return list(dict.fromkeys([*links, *within(left), *inside]))


_FEW = 16


def _among_few(pictures: Fingerprints) -> list[Twin]:
    """The links of a handful; `across`, which decides, is asked for those alone that are near at all."""
    i, j = np.triu_indices(len(pictures), 1)
    close = np.flatnonzero(apart(pictures[i], pictures[j]) <= 2 * NEAR)
    near = ((a, b, across(pictures[a : a + 1], pictures[b : b + 1])) for a, b in zip(i[close], j[close], strict=True))
    return [Twin(int(a), int(b), twins[0].distance) for a, b, twins in near if twins]


def apart(first: Fingerprints, second: Fingerprints) -> npt.NDArray[np.float64]:
    """(N,) distances of N pairs of pictures, row by row: 0.0 (equal) to 1.0, NaN where one is too plain to be known."""
    plain = (first[:, _DIGEST] != 0) | (second[:, _DIGEST] != 0)
    distances = np.full(len(first), np.nan)
    distances[~plain] = _distance(first[~plain, 1:9], second[~plain, 1:9])
    distances[plain & (first[:, _DIGEST] == second[:, _DIGEST])] = 0.0
    return distances
