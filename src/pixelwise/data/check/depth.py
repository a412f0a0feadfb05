"""How deep the images of a dataset are and which bands they have: one rule for all, and what does not fit it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands, ImageKind, Samples, chosen_bands, fitted
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.facts.statistics import PixelStatistics
from pixelwise.data.findings import Finding
from pixelwise.data.planes import unfit
from pixelwise.phrases import counted, percent
from pixelwise.settings import Settings

_PIXELS = 2048  # of an image, evenly spread, that its values are judged by
_MOST_PIXELS = 1 << 20  # of a split; beyond it every second one goes
_FEW_LEVELS = 64
_OUTSIDE = 0.05


class DeepFacts(NamedTuple):
    """What an image that is no photograph of 8 bits says of itself."""

    kind: ImageKind
    samples: Samples  # (C, up to twice 2048) in the depth of the file
    stated: tuple[float, float] | None
    frames: int
    not_finite: float  # share of the samples


def deep_facts(image: DeepImage) -> DeepFacts:
    """The facts of a decoded image."""
    flat = image.values.reshape(-1, image.bands)
    some = flat[:: max(1, len(flat) // _PIXELS)].T.copy()  # not a view, which would keep the image
    finite = np.isfinite(some)
    good = some if finite.all() else some[:, finite.all(axis=0)]
    return DeepFacts(ImageKind.of(image), good, image.stated, image.frames, float(1 - finite.mean()))


def quick_look(image: DeepImage, samples: Samples) -> Image.Image:
    """A picture of 8 bits to tell images apart by: the first band, or red, green and blue, from lowest to highest."""
    places = range(3 if image.is_color and image.bands >= 3 else 1)
    bands = []
    for place in places:
        low, high = (float(samples[place].min()), float(samples[place].max())) if samples.size else (0.0, 1.0)
        values = np.nan_to_num(image.values[:, :, place].astype(np.float32), nan=low, posinf=high, neginf=low)
        bands.append(np.clip((values - low) * (255 / max(high - low, 1e-30)), 0, 255).astype(np.uint8))
    return Image.fromarray(bands[0] if len(bands) == 1 else np.stack(bands, axis=2))


@dataclass
class Depths:
    """The kinds of a split's images, in order, and the values of the deep ones."""

    kinds: list[ImageKind | None] = field(default_factory=list)
    """None: an image that could not be read."""
    deep: dict[int, DeepFacts] = field(default_factory=dict)
    """By the image's place; without their samples, which are together in `samples`."""
    _samples: dict[int, list[Samples]] = field(default_factory=dict)
    _step: int = 1
    _kept: int = 0

    def add(self, facts: DeepFacts | None, *, is_readable: bool) -> None:
        """Take in the next image; `facts` are None for a photograph."""
        if facts is None:
            self.kinds.append(ImageKind.of_photograph() if is_readable else None)
            return
        levels = facts.samples if facts.kind.depth == "uint16" else facts.samples[:, :0]
        self.deep[len(self.kinds)] = facts._replace(samples=np.unique(np.rint(levels / 257))[None])
        self.kinds.append(facts.kind)
        some = facts.samples[:, :: self._step]
        self._samples.setdefault(facts.kind.bands, []).append(some)
        self._kept += some.shape[1]
        if self._kept > _MOST_PIXELS:
            self._thin()

    def samples(self, bands: Bands) -> Samples | None:
        """(bands in a file, N) values of the pixels that were kept of images with these bands; None of none."""
        found = self._samples.get(bands.in_file, [])
        if bands.in_file == 3 and bands.is_color:
            found = [*found, *(np.repeat(each, 3, axis=0) for each in self._samples.get(1, []))]
        return np.concatenate(found, axis=1) if found else None

    def statistics(self, bands: Bands) -> PixelStatistics | None:
        """Mean and spread of each chosen band in its range; None without deep images."""
        samples = self.samples(bands)
        if samples is None or samples.size == 0:
            return None
        low, high = np.array(bands.ranges).T[:, :, None]
        values = np.clip((samples[[band - 1 for band in bands.chosen]].astype(np.float64) - low) / (high - low), 0, 1)
        return PixelStatistics(tuple(values.mean(axis=1)), tuple(values.std(axis=1)), samples.shape[1])

    def _thin(self) -> None:
        self._step *= 2
        self._samples = {bands: [each[:, ::2] for each in found] for bands, found in self._samples.items()}
        self._kept = sum(each.shape[1] for found in self._samples.values() for each in found)


def resolved_bands(depths: Mapping[str, Depths], meant: Settings | Bands | None) -> Bands:
    """What a network is given of the images: as most training images are, or as `meant`, the bands of a model, says.

    Raises:
        SettingsError: `bands` or `value_range` of the settings do not fit the images.
    """
    if isinstance(meant, Bands):
        return meant
    train = depths.get("train") or next(iter(depths.values()), Depths())
    settings = meant or Settings()
    kind = _most_frequent(train)
    if kind == ImageKind.of_photograph() and not settings.bands and settings.value_range == "data":
        return PHOTOGRAPH
    stated = [facts.stated for facts in train.deep.values() if facts.kind.depth == kind.depth]
    bands = chosen_bands(kind, settings)
    return fitted(bands, settings, train.samples(bands), stated)


def _most_frequent(depths: Depths) -> ImageKind:
    """Of the most frequent depth; gray beside colours is read as these."""
    known = Counter(kind for kind in depths.kinds if kind is not None)
    if not known:
        return ImageKind.of_photograph()
    by_depth: Counter[str] = Counter()
    for kind, count in known.items():
        by_depth[kind.depth] += count
    depth = max(by_depth, key=lambda name: by_depth[name])
    here = {kind: count for kind, count in known.items() if kind.depth == depth}
    best = max(here, key=lambda kind: here[kind])
    color = ImageKind(depth, 3, True)
    return color if best.bands == 1 and color in here else best


def depth_findings(depths: Depths, paths: Mapping[int, Path], bands: Bands, *, is_given: bool) -> Iterator[Finding]:
    """What of a split's images, which lie at `paths`, is not as `bands` say, or loses something on the way."""
    for place, kind in enumerate(depths.kinds):
        if kind is None:
            continue
        finding = unfit(paths[place], kind, bands)
        if finding is not None:
            yield finding
    for place, facts in depths.deep.items():
        yield from _losses(paths[place], facts, bands)
    if is_given:
        yield from _outside(depths, paths, bands)


def _losses(path: Path, facts: DeepFacts, bands: Bands) -> Iterator[Finding]:
    if facts.frames > 1:
        yield Finding(
            path, f"has {counted(facts.frames, 'page')}", "one picture", "The first page is taken.", "image-animated"
        )
    if facts.not_finite:
        yield Finding(
            path, f"holds {percent(facts.not_finite)} of values that are no numbers", "finite numbers",
            "They are read as the lowest value of their band; write a number where there is no measurement.",
            "image-not-finite",
        )  # fmt: skip
    if bands.is_photograph and facts.kind.depth == "uint16" and unfit(path, facts.kind, bands) is None:
        levels = facts.samples.shape[1]
        few = f", of which {levels} of 256 levels are left" if levels < _FEW_LEVELS else ""
        yield Finding(
            path, f"has more than 8 bits a channel{few}", "8 bits", "Its values are reduced to 8 bits.", "image-16-bit"
        )


def _outside(depths: Depths, paths: Mapping[int, Path], bands: Bands) -> Iterator[Finding]:
    samples = depths.samples(bands)
    if samples is None or samples.size == 0:
        return
    for band, (low, high) in zip(bands.chosen, bands.ranges, strict=True):
        values = samples[band - 1]
        outside = float(((values < low) | (values > high)).mean())
        if outside > _OUTSIDE:
            yield Finding(
                paths[0].parent, f"has {percent(outside)} of the values of band {band} outside {low:g} to {high:g}",
                "nearly all inside", "They become the ends of the range; widen value_range, or leave it out.",
                "value-range",
            )  # fmt: skip
