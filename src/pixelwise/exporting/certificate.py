"""The certificate beside an exported file: what it takes, what it gives, and what was proved of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.bundle import Bundle
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.exporting.graph import INPUT, OUTPUTS
from pixelwise.exporting.parity import EQUAL_PIXELS, PROBABILITY_TOLERANCE, Parity

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Certificate:
    """What is written as FILE.json.

    `size` is (height, width) of a file that takes only this size. `sha256` and `num_bytes` are those of the file.
    """

    path: Path
    format: str
    size: tuple[int, int] | None
    sha256: str
    num_bytes: int
    bundle: Bundle
    parity: Parity
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        network = ("algorithm", "backbone", "output_stride", "input_scale", "align_corners")
        return {
            "format_version": FORMAT_VERSION,
            "file": {"name": self.path.name, "format": self.format, "bytes": self.num_bytes, "sha256": self.sha256},
            "model": {
                **{name: getattr(self.bundle.settings, name) for name in network},
                "provenance": dict(self.bundle.provenance),
            },
            "input": self._input(),
            "outputs": self._outputs(),
            "classes": self.bundle.labels.to_json(),
            "parity": self._parity(),
            "versions": dict(self.versions),
        }

    def text(self) -> str:
        """For people."""
        parity, count = self.parity, sum(trial.images for trial in self.parity.trials)
        bands, shape = self.bundle.bands, ", ".join(map(str, self._shape()))
        return "\n".join(
            [
                f"{self.path}: {self.format}, {self.num_bytes / 1e6:.1f} MB, {self.bundle.labels.num_classes} classes",
                f"{INPUT} ({shape}) {bands.depth}{' RGB' if bands.is_photograph else ''} -> {', '.join(OUTPUTS)}",
                *([f"bands: {bands.text()}"] if bands != PHOTOGRAPH else []),
                f"{count} images in {len(parity.trials)} batches: {100 * parity.equal_pixels:.4g} % of the pixels have "
                f"the model's class, probabilities differ by up to {parity.probability_difference:.1g}, logits by "
                f"{parity.logit_difference:.1g}",
            ]
        )

    def _sides(self) -> list[Any]:
        return list(self.size) if self.size else ["height", "width"]

    def _shape(self) -> list[Any]:
        return ["batch", self.bundle.bands.count, *self._sides()]

    def _input(self) -> dict[str, Any]:
        mean, std = (self.bundle.state[name].flatten().tolist() for name in ("mean", "std"))
        return {
            "name": INPUT,
            "type": self.bundle.bands.depth,
            "shape": self._shape(),
            "meaning": _meaning(self.bundle.bands),
            "normalised_inside": {"mean": mean, "std": std},
            "bands": self.bundle.bands.to_json(),
        }

    def _outputs(self) -> list[dict[str, Any]]:
        meanings = {
            "class_ids": ("uint8", ["batch", *self._sides()], "the likeliest class of each pixel"),
            "logits": (
                "float32",
                ["batch", self.bundle.labels.num_classes, *self._sides()],
                f"divided by the temperature {self.bundle.temperature:g}: softmax over axis 1 gives probabilities",
            ),
        }
        return [
            {"name": name, "type": kind, "shape": shape, "meaning": meaning}
            for name, (kind, shape, meaning) in meanings.items()
        ]

    def _parity(self) -> dict[str, Any]:
        return {
            "compared_with": "the bundle's network in float32 on the CPU",
            "probability_tolerance": PROBABILITY_TOLERANCE,
            "least_equal_pixels": EQUAL_PIXELS,
            "logit_difference": self.parity.logit_difference,
            "probability_difference": self.parity.probability_difference,
            "equal_pixels": self.parity.equal_pixels,
            "trials": [trial._asdict() for trial in self.parity.trials],
        }


def _meaning(bands: Bands) -> str:
    if bands.is_photograph:
        return "RGB, 0 to 255, after the EXIF orientation; resizing, padding and normalising are not needed"
    gaps = "; what is not a number counts as the lowest value of its band" if bands.depth == "float32" else ""
    return (
        f"{bands.text()}. The files' own numbers, upright; scaling, limiting to the ranges, resizing, padding and "
        f"normalising are not needed{gaps}"
    )
