"""Gather what the pairs of a split showed, and compare the pictures of two splits."""

from array import array
from collections import Counter

import numpy as np

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.check.depth import Depths, depth_findings
from pixelwise.data.check.duplicates import WORDS, Fingerprints, across, video_neighbours
from pixelwise.data.check.pair import Look
from pixelwise.data.check.report import SplitFacts
from pixelwise.data.check.second_look import relation
from pixelwise.data.dataset.pairs import Pair, Pairs, Split
from pixelwise.data.facts.regions import RegionSizes
from pixelwise.data.facts.statistics import ClassBalance, ImageSizes, PixelMoments
from pixelwise.data.findings import Finding
from pixelwise.data.repair.survey import Values
from pixelwise.labels import IGNORE


class Tally:
    """Sums over the pairs of a split; nothing but a fingerprint of 80 bytes is kept of each."""

    def __init__(self, split: Split, pairs: Pairs) -> None:
        self.split, self.pairs = split, pairs
        self.findings: list[Finding] = []
        self.pixels = [0] * 256  # by class id, IGNORE included
        self.depths = Depths()
        self._regions, self._moments, self._measured = RegionSizes(), PixelMoments(), 0
        self._fingerprints, self._fingerprinted = array("Q"), array("Q")  # rows, and whose they are
        self._looked, self._masks = 0, 0
        self._pixels_where_present, self._images_with = [0] * 256, [0] * 256
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._unlisted: Counter[int] = Counter()
        self.survey = Values()  # of the values and colours of the masks, whatever their kind

    @property
    def values(self) -> set[int]:
        """The class ids that occur, IGNORE included."""
        return {value for value, count in enumerate(self.pixels) if count}

    def add(self, look: Look) -> None:
        """Take in the look at the next pair."""
        if look.size is not None:
            self._sizes[look.size] += 1
        self.depths.add(look.deep, is_readable=look.size is not None)
        labelled = sum(look.counts.values()) - look.counts.get(IGNORE, 0)
        for value, count in look.counts.items():
            self.pixels[value] += count
            self._pixels_where_present[value] += labelled
            self._images_with[value] += 1
        self._unlisted.update(look.unlisted)
        self.findings += look.findings
        if look.raw is not None:
            self.survey.add(self.split.name, look.raw)
        if look.fingerprint is not None:
            self._fingerprints.extend(look.fingerprint.tolist())
            self._fingerprinted.append(self._looked)
        if look.measured is not None:
            self._measured += 1
            self._moments += look.measured.moments
            if look.measured.regions is not None:
                self._regions.count(look.measured.regions, look.measured.mask_size)
        self._masks += bool(look.counts)
        self._looked += 1

    @property
    def fingerprints(self) -> Fingerprints:
        """(N, 10), one row for each image that could be read."""
        return np.frombuffer(self._fingerprints, dtype=np.uint64).reshape(-1, WORDS)

    def fingerprinted(self, row: int) -> Pair:
        """The pair whose image has a row of the fingerprints."""
        return self.pairs[self._fingerprinted[row]]

    def balance(self, num_classes: int) -> ClassBalance:
        """How often each class occurs."""
        return ClassBalance(
            tuple(self.pixels[:num_classes]),
            tuple(self._images_with[:num_classes]),
            tuple(self._pixels_where_present[:num_classes]),
            self._masks,
            self.pixels[IGNORE],
        )

    def facts(self, num_classes: int, bands: Bands) -> SplitFacts:
        """The sums for a known number of classes and known bands."""
        return SplitFacts(
            self.pairs,
            ImageSizes(dict(self._sizes.most_common())),
            self.balance(num_classes),
            self._regions.result(num_classes),
            self.depths.statistics(bands) or self._moments.result(),
            self._measured,
        )

    def depth_findings(self, bands: Bands, *, is_given: bool) -> list[Finding]:
        """What of the images does not fit the dataset's bands, whose range may be given, or loses something."""
        if bands == PHOTOGRAPH and not self.depths.deep:
            return []
        paths = {place: self.pairs[place].image for place in range(self._looked)}
        return list(depth_findings(self.depths, paths, bands, is_given=is_given))

    def ignored_values(self) -> list[Finding]:
        """One warning for all the values that the split's label map leaves out."""
        if not self._unlisted or self.split.label_map is None:
            return []
        listed = ", ".join(f"{value} ({count} px)" for value, count in sorted(self._unlisted.items()))
        return [
            Finding(
                self.split.truth, f"holds the values {listed}, which {self.split.label_map.source} does not list",
                "every value in the label map", "They are ignored; list them if they are a class.", "values-ignored",
            )
        ]  # fmt: skip


def shared_pictures(first: Tally, second: Tally) -> list[Finding]:
    """The pictures that two splits have in common, or nearly; neighbours in a video as one fact."""
    findings, neighbours = [], []
    for match in across(first.fingerprints, second.fingerprints):
        one, other = first.fingerprinted(match.first), second.fingerprinted(match.second)
        how = relation(one.image, other.image)
        if how == "same":
            findings.append(_shared(one, other, first.split.name, "is the same picture as", "duplicate-across-splits"))
        elif how == "near" and video_neighbours(one.name, other.name):
            neighbours.append((one, other))
        elif how == "near":
            found, code = "is nearly the same picture as", "near-duplicate-across-splits"
            findings.append(_shared(one, other, first.split.name, found, code))
    if neighbours:
        one, other = neighbours[0]
        findings.append(
            Finding(
                second.split.images,
                f"{len(neighbours)} of {len(second.pairs)} images are neighbours of {first.split.name} images in a "
                f"video, such as {other.image.name} of {one.image.name}",
                "other scenes than in training", "Split by drive or by scene; as it is, scores are optimistic.",
                "video-neighbours", other=first.split.images,
            )
        )  # fmt: skip
    return findings


def _shared(one: Pair, other: Pair, split: str, found: str, code: str) -> Finding:
    return Finding(
        other.image, f"{found} {one.image.name} of {split}", "pictures that no other split has",
        "Take one of the two out, or scores are better than the model.", code, other=one.image,
    )  # fmt: skip
