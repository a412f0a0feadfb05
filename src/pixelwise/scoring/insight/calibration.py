"""Are the probabilities true? Reliability diagram, calibration error, Brier score and temperature scaling."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.labels import IGNORE
from pixelwise.scoring.formulas import Floats, ratio
from pixelwise.scoring.insight.tally import Scored, ScoreTally
from pixelwise.values import strict_json

DEFINITION = (
    "Over the labelled pixels, with the probability of the chosen class as confidence, in 15 bins of equal width: "
    "expected_calibration_error = sum of (share of the pixels in the bin) x |accuracy - confidence| (Naeini et al. "
    "2015; Guo et al., arXiv 1706.04599), maximum_calibration_error the largest such gap, of however few pixels. "
    "brier_score = mean over the pixels of the sum over the classes of (probability - truth)^2, 0 best, 2 worst. "
    "negative_log_likelihood = mean of -log(probability of the true class). per_class: the same of the pixels for "
    "which the class was chosen. temperature divides the logits before softmax; the class map does not depend on it. "
    "best_temperature: the one with the least negative_log_likelihood on up to 200,000 of the pixels."
)

BINS = 15
SAMPLED_PIXELS = 200_000
"""So many pixels at most are kept for fitting a temperature."""

TEMPERATURES = (0.05, 20.0)
"""Between these a temperature is looked for: right in every pixel, a model would have none."""

_SAMPLED_LOGITS = 1 << 24  # 64 MB: with many classes fewer pixels are kept
_PIXELS_AT_ONCE = 1 << 14  # what is worked on stays in the cache and, with 254 classes, within 16 MB


@dataclass(frozen=True)
class ClassCalibration:
    """Of the pixels for which one class was chosen; NaN where there are none."""

    pixels: int
    confidence: float  # mean
    accuracy: float  # share that is right: the precision of the class
    expected_calibration_error: float


@dataclass(frozen=True)
class Calibration:
    """NaN where nothing was counted; pixels, confidence and accuracy have one entry for each of the 15 bins."""

    temperature: float
    pixels: tuple[int, ...]
    confidence: tuple[float, ...]  # mean in the bin
    accuracy: tuple[float, ...]
    expected_calibration_error: float  # mean gap between confidence and accuracy, weighted by pixels; 0 to 1
    brier_score: float
    negative_log_likelihood: float
    best_temperature: float  # the one with the least negative log-likelihood
    per_class: tuple[ClassCalibration, ...]

    @property
    def maximum_calibration_error(self) -> float:
        """The largest gap of a bin that has pixels; 0 to 1."""
        rows = zip(self.pixels, self.confidence, self.accuracy, strict=True)
        return max((abs(accuracy - confidence) for count, confidence, accuracy in rows if count), default=math.nan)

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, null for NaN, and the definitions."""
        names = ["temperature", "expected_calibration_error", "maximum_calibration_error"]
        names += ["brier_score", "negative_log_likelihood", "best_temperature"]
        rows = zip(self.pixels, self.confidence, self.accuracy, strict=True)
        bins = [
            {"from": i / BINS, "to": (i + 1) / BINS, "pixels": pixels, "confidence": confidence, "accuracy": accuracy}
            for i, (pixels, confidence, accuracy) in enumerate(rows)
        ]
        per_class = [vars(each) for each in self.per_class]
        scores = {name: getattr(self, name) for name in names}
        return {"definition": DEFINITION, **strict_json({**scores, "bins": bins, "per_class": per_class})}


class PixelSample:
    """A uniform sample of the labelled pixels of a split, with their logits, whatever the number of images.

    Every pixel draws a number, and those with the least are kept: which ones follows from the seed and the order.
    """

    def __init__(self, num_classes: int, *, capacity: int = SAMPLED_PIXELS, seed: int = 0) -> None:
        self.capacity = min(capacity, _SAMPLED_LOGITS // num_classes)
        self._generator = np.random.default_rng(seed)
        self._limit = 1.0  # more pixels than fit have drawn less than this
        self._drawn = np.zeros(0)
        self._truth = np.zeros(0, dtype=np.uint8)
        self._logits = np.zeros((0, num_classes), dtype=np.float32)
        self._waiting: list[tuple[Floats, NDArray[np.uint8], NDArray[np.float32]]] = []

    def add(self, truth: NDArray[np.uint8], logits: Tensor, columns: Tensor) -> None:
        """Let pixels of an image draw: `truth` (P,), 0 to K - 1, of the `columns` (P,) of `logits` (K, H W)."""
        drawn = self._generator.random(len(truth))
        places = np.flatnonzero(drawn < self._limit)
        if len(places) > self.capacity:
            places = places[_least(drawn[places], self.capacity)]
        chosen = columns[torch.from_numpy(places).to(columns.device)]
        self._wait(drawn[places], truth[places], logits.index_select(1, chosen).T.float().cpu().numpy())

    def merge(self, other: Self) -> None:
        """Take in the sample of another part of the data."""
        other._settle()
        self._limit = min(self._limit, other._limit)
        self._wait(other._drawn, other._truth, other._logits)

    def pixels(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The truth (n,) and the logits (n, K) of the sample."""
        self._settle()
        return self._truth, self._logits

    def _wait(self, drawn: Floats, truth: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
        # Settling copies the whole sample: it waits until there is as much again.
        self._waiting.append((drawn, truth, logits))
        if sum(len(each) for each, _, _ in self._waiting) > self.capacity:
            self._settle()

    def _settle(self) -> None:
        parts = zip((self._drawn, self._truth, self._logits), *self._waiting, strict=True)
        drawn, truth, logits = (np.concatenate(part) for part in parts)
        self._waiting = []
        if len(drawn) > self.capacity:
            kept = _least(drawn, self.capacity)
            drawn, truth, logits = drawn[kept], truth[kept], logits[kept]
            self._limit = float(drawn.max())
        inside = drawn <= self._limit
        self._drawn, self._truth, self._logits = drawn[inside], truth[inside], logits[inside]


class CalibrationTally(ScoreTally):
    """Sums over images, and a sample of their pixels for fitting a temperature."""

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}, expected a number above 0")
        super().__init__(num_classes, temperature)
        self.sample = PixelSample(num_classes)
        self._bins = np.zeros((3, num_classes, BINS))  # pixels, their confidence, those right; by chosen class
        self._squares = self._logs = 0.0

    def add(self, image: Scored) -> None:
        """Count the logits of an image, on their device."""
        places = np.flatnonzero(image.truth != IGNORE)
        columns, ids = torch.from_numpy(places).to(image.logits.device), image.truth.reshape(-1)[places]
        flat = image.logits.flatten(1)
        self._count(ids, flat, columns)
        self.sample.add(ids, flat, columns)

    def numbers(self) -> Floats:
        """(47,) sums over the images so far: pixels, confidence, pixels right by bin; Brier score, log-likelihood."""
        return np.append(self._bins.sum(axis=1), [self._squares, self._logs])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Means over the labelled pixels; NaN without any."""
        bins, (squares, logs) = sums[:, :-2].reshape(-1, 3, BINS), sums[:, -2:].T
        pixels = bins[:, 0].sum(axis=1)
        return {
            "expected_calibration_error": _expected_error(bins),
            "brier_score": ratio(squares, pixels),
            "negative_log_likelihood": ratio(logs, pixels),
        }

    def held(self, sums: Floats) -> Floats:
        """(R, 1): labelled pixels."""
        return np.asarray(sums[:, :BINS].sum(axis=1, keepdims=True))

    def __iadd__(self, other: Self) -> Self:
        """Take in what another one, of the same temperature, counted."""
        self._bins += other._bins
        self._squares += other._squares
        self._logs += other._logs
        self.sample.merge(other.sample)
        return self

    def result(self) -> Calibration:
        """The calibration of all pixels."""
        pixels, *sums = self._bins.sum(axis=1)
        confidence, accuracy = (tuple(ratio(each, pixels).tolist()) for each in sums)
        return Calibration(
            temperature=self.temperature,
            pixels=tuple(int(count) for count in pixels),
            confidence=confidence,
            accuracy=accuracy,
            best_temperature=self.fit_temperature(),
            per_class=tuple(_of_class(self._bins[:, i]) for i in range(self.num_classes)),
            **self.summary(),
        )

    def fit_temperature(self) -> float:
        """`fit_temperature` of the sampled pixels, from the logits as they were given."""
        return fit_temperature(*self.sample.pixels())

    def _count(self, ids: NDArray[np.uint8], logits: Tensor, columns: Tensor) -> None:
        """Count the pixels `columns` (P,) of `logits` (K, H W), whose true classes are `ids` (P,)."""
        for start in range(0, len(ids), _PIXELS_AT_ONCE):
            piece = slice(start, start + _PIXELS_AT_ONCE)
            truth = torch.from_numpy(ids[piece].astype(np.int64)).to(logits.device)
            judged = _judged(logits.index_select(1, columns[piece]), truth, self.temperature)
            chosen, confidence = judged.chosen.cpu().numpy(), judged.confidence.double().cpu().numpy()
            self._squares += float(judged.squares.sum(dtype=torch.float64))
            self._logs += float(judged.loss.sum(dtype=torch.float64))
            # Closed on the right, as Guo et al. have it: (0, 1/15], (1/15, 2/15], ...
            bins = np.ceil(np.nan_to_num(confidence) * BINS).astype(np.intp).clip(1, BINS) - 1
            keys = chosen.astype(np.intp) * BINS + bins
            for i, weights in enumerate((None, confidence, chosen == ids[piece])):
                counts = np.bincount(keys, weights, minlength=self._bins[i].size)
                self._bins[i] += counts.reshape(self.num_classes, BINS)


def fit_temperature(truth: NDArray[np.uint8], logits: NDArray[np.float32]) -> float:
    """The temperature with the least mean negative log-likelihood for `truth` (n,) and `logits` (n, K).

    Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599, section 4.2. It is looked for within
    `TEMPERATURES`; 1.0 where nothing is better, and without pixels.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0
    values = torch.from_numpy(logits)
    # Of each row one number can be taken away: the true class's own leaves log(sum(exp)) as the loss.
    beyond = values - values.gather(1, torch.from_numpy(truth.astype(np.int64))[:, None])

    def loss(log_temperature: float) -> float:
        return float((beyond / math.exp(log_temperature)).logsumexp(dim=1).mean(dtype=torch.float64))

    # In 1/T the loss is convex, so that there is one minimum.
    low, high = map(math.log, TEMPERATURES)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return math.exp(best.x) if best.fun < loss(0.0) else 1.0


class _Judged(NamedTuple):
    chosen: Tensor  # (P,) uint8: the likeliest class
    confidence: Tensor  # (P,) float32: its probability
    squares: Tensor  # (P,) float32: the Brier score, 0..2
    loss: Tensor  # (P,) float32: -log of the probability of the true class


def _judged(logits: Tensor, truth: Tensor, temperature: float) -> _Judged:
    """Each pixel of `logits` (K, P) against `truth` (P,) int64."""
    largest = logits.amax(dim=0)
    ids = torch.arange(len(logits), dtype=torch.uint8, device=logits.device)[:, None]
    # The first of the largest, as `likeliest` has it. max(dim=0) and argmax take ten times as long as amax on a CPU.
    chosen = torch.where(logits < largest, IGNORE, ids).amin(dim=0)
    own = (logits.gather(0, truth[None])[0] - largest) / temperature
    shares = (logits - largest).div_(temperature).exp_()
    total = shares.sum(dim=0)
    squares = shares.square_().sum(dim=0) / total.square() - 2 * own.exp() / total + 1
    return _Judged(chosen, 1 / total, squares, total.log() - own)


def _of_class(bins: Floats) -> ClassCalibration:
    total, confidence, right = bins.sum(axis=1)
    mean_confidence, accuracy = (float(ratio(each, total)) for each in (confidence, right))
    return ClassCalibration(int(total), mean_confidence, accuracy, float(_expected_error(bins)))


def _expected_error(bins: Floats) -> Floats:
    """(...,) of the pixels, of their confidence and of those right in each bin, (..., 3, 15)."""
    pixels, confidence, right = np.moveaxis(bins, -2, 0)
    # Of a bin, pixels x |accuracy - confidence| is the difference of the sums.
    return ratio(np.abs(right - confidence).sum(axis=-1), pixels.sum(axis=-1))


def _least(drawn: Floats, count: int) -> NDArray[np.intp]:
    """The places of the `count` smallest, in their order."""
    return np.sort(np.argpartition(drawn, count - 1)[:count])
