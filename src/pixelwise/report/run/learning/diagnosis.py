"""What the learning curves say: one verdict, the numbers that it rests on, and the setting to change.

The rules, in the order in which they are tried. Levels are those of the smoothed curves (see `curve`). Every
threshold is also at least 3 times the curve's own noise, so that a ragged plateau is neither a rise nor a fall.

1. diverging: a loss is not finite; or the training loss is 10 % above its lowest and the training mIoU has lost 10 %
   of its best (25 % of the loss alone where no mIoU was measured: near zero a loss may double and mean nothing); or
   the last training loss is 25 % above the first: all is lost; or mIoU lost 10 % of its best on both sides.
2. too short to say: fewer than 4 epochs were validated; a bend needs points before and after it.
3. overfitting: validation mIoU is 0.02 below its best while training mIoU is not; or the validation loss is 15 %
   above its lowest, the training loss below what it was then, and validation mIoU gained nothing since; or
   validation mIoU stands still 0.15 below training mIoU. Training scores are measured on augmented crops with the
   weights of the moment, validation scores on whole images with averaged weights: training below validation is
   normal and says nothing, so a gap this way is a strong sign.
4. underfitting: both mIoU are below 0.5, which is where many uses begin, and validation mIoU stands still, or rises
   so slowly that at the pace of the last third another run of this length would not take it to 0.5. This comes before
   the next rule so that nobody is told merely to wait.
5. still improving: validation mIoU gained 0.01 and more over the last third of the run.
6. healthy: none of these; the curves rose and levelled off together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pixelwise.report.run.learning.curve import Curve, epoch_of, is_number

Verdict = Literal["healthy", "overfitting", "underfitting", "diverging", "still improving", "too short to say"]

MIN_VALIDATED = 4
MIN_GAIN, MIN_FALL = 0.01, 0.02
"""Of mIoU: what counts as a rise over the last third, and as a fall from the best."""
LARGE_GAP = 0.15
ACCEPTABLE = 0.5

_LOSS_RISE, _LOSS_RISE_ALONE, _VALIDATION_LOSS_RISE = 1.10, 1.25, 1.15
_SHARE_LOST = 0.10


@dataclass(frozen=True)
class Diagnosis:
    """A verdict, one sentence with the numbers and epochs behind it, one that names the `settings` to change."""

    verdict: Verdict
    evidence: str
    advice: str


@dataclass(frozen=True)
class _Run:
    epochs: int
    top_rate: float  # the highest learning rate; NaN where none was written
    train_loss: Curve
    validation_loss: Curve
    train: Curve  # mIoU
    validation: Curve  # mIoU

    @property
    def before(self) -> int:
        """The validated epoch at which the last third of the run begins."""
        earlier = self.validation.epochs[:-1]
        return max((int(epoch) for epoch in earlier if epoch <= self.epochs * 2 / 3), default=int(earlier[0]))

    @property
    def gain(self) -> float:
        """What validation mIoU gained over the last third."""
        return self.validation.last.value - self.validation.at(self.before).value

    @property
    def is_rising(self) -> bool:
        return self.gain > max(MIN_GAIN, 3 * self.validation.noise)

    @property
    def gap(self) -> float:
        """Training minus validation mIoU at the end; NaN where either is missing."""
        return self.train.last.value - self.validation.last.value


def diagnose(history: Sequence[Mapping[str, Any]]) -> Diagnosis:
    """Judge a run by the lines of its metrics.jsonl; null, NaN and missing values are epochs not measured.

    Never raises for an odd history: where it says nothing, so does the verdict. The rules stand at the module's top.
    """
    rates = [row["learning_rate"] for row in history if is_number(row.get("learning_rate"))]
    run = _Run(
        epochs=epoch_of(history, len(history) - 1) if history else 0,
        top_rate=max(rates, default=math.nan),
        train_loss=Curve.of(history, "train_loss"),
        validation_loss=Curve.of(history, "validation_loss"),
        train=Curve.of(history, "train_miou"),
        validation=Curve.of(history, "validation_miou"),
    )
    evidence = _broken(history) or _risen_loss(run) or _fallen_on_both(run)
    if evidence:
        return Diagnosis("diverging", evidence, _slower(run))
    if len(run.validation) < MIN_VALIDATED:
        return _too_short(run)
    evidence = _past_its_best(run) or _risen_validation_loss(run) or _apart(run)
    if evidence:
        return Diagnosis("overfitting", evidence, _OVERFITTING_ADVICE)
    return _level(run)


def _broken(history: Sequence[Mapping[str, Any]]) -> str:
    """Where a loss is no finite number. A validation loss of NaN was not measured; a training loss always is."""
    for i, row in enumerate(history):
        training, validation = row.get("train_loss"), row.get("validation_loss")
        if isinstance(training, float) and not math.isfinite(training):
            return f"The training loss of epoch {epoch_of(history, i)} is {training}, not a finite number."
        if isinstance(validation, float) and math.isinf(validation):
            return f"The validation loss of epoch {epoch_of(history, i)} is {validation}, not a finite number."
    return ""


def _risen_loss(run: _Run) -> str:
    loss, miou = run.train_loss, run.train
    if len(loss) < 3:
        return ""
    low, last, noise = loss.lowest, loss.last, 3 * loss.noise
    has_fallen = _is_lost(miou)
    factor = _LOSS_RISE if has_fallen else _LOSS_RISE_ALONE
    if (has_fallen or not len(miou)) and last.value > max(low.value * factor, low.value + noise):
        fall = f" while training mIoU fell from {_fall(miou)}" if has_fallen else ""
        return (
            f"Smoothed training loss rose from {low.value:.3g} in epoch {low.epoch} to {last.value:.3g} in epoch "
            f"{last.epoch}{fall}."
        )
    first, end = float(loss.raw[0]), float(loss.raw[-1])
    if end > max(first * _LOSS_RISE_ALONE, first + noise):
        return f"Training loss is {end:.3g} in epoch {last.epoch}, above the {first:.3g} of epoch {loss.first.epoch}."
    return ""


def _fallen_on_both(run: _Run) -> str:
    if not (_is_lost(run.train) and _is_lost(run.validation)):
        return ""
    return f"Smoothed training mIoU fell from {_fall(run.train)}, validation mIoU from {_fall(run.validation)}."


def _is_lost(curve: Curve) -> bool:
    """Whether a curve of mIoU lost a tenth of its best, beyond its noise."""
    best, last = curve.highest.value, curve.last.value
    return len(curve) > 2 and best - last > max(_SHARE_LOST * best, 3 * curve.noise)


def _past_its_best(run: _Run) -> str:
    best, last = run.validation.highest, run.validation.last
    then, now = run.train.at(best.epoch), run.train.last
    has_fallen = best.value - last.value > max(MIN_FALL, 3 * run.validation.noise)
    if not has_fallen or not now.value > then.value - MIN_GAIN:  # NaN, too, is no comparison
        return ""
    return (
        f"Smoothed validation mIoU fell from {_fall(run.validation)} while training mIoU went from {then.value:.2f} to "
        f"{now.value:.2f}."
    )


def _risen_validation_loss(run: _Run) -> str:
    loss = run.validation_loss
    low, last = loss.lowest, loss.last
    then, now = run.train_loss.at(low.epoch), run.train_loss.last
    has_risen = last.value > max(low.value * _VALIDATION_LOSS_RISE, low.value + 3 * loss.noise)
    gain = run.validation.last.value - run.validation.at(low.epoch).value
    if len(loss) < MIN_VALIDATED or not has_risen or not now.value < then.value or gain > MIN_GAIN:
        return ""
    return (
        f"Smoothed validation loss rose from {low.value:.3g} in epoch {low.epoch} to {last.value:.3g} in epoch "
        f"{last.epoch} while training loss fell from {then.value:.3g} to {now.value:.3g}, and validation mIoU gained "
        f"nothing ({run.validation.last.value:.2f})."
    )


def _apart(run: _Run) -> str:
    if run.is_rising or not run.gap > LARGE_GAP:
        return ""
    return (
        f"Smoothed validation mIoU has stood at {run.validation.last.value:.2f} since epoch {run.before} and training "
        f"mIoU is {run.gap:.2f} above it ({run.train.last.value:.2f}), although it is measured on augmented crops."
    )


def _level(run: _Run) -> Diagnosis:
    """Underfitting, still improving or healthy."""
    start, last = run.validation.at(run.before), run.validation.last
    if run.is_rising:
        moved = f"rose from {start.value:.2f} in epoch {start.epoch} to {last.value:.2f} in epoch {last.epoch}"
    else:
        moved = f"stands at {last.value:.2f} in epoch {last.epoch}, after {start.value:.2f} in epoch {start.epoch}"
    training = f"training mIoU is {run.train.last.value:.2f}" if len(run.train) else "training mIoU was not measured"
    is_poor = last.value < ACCEPTABLE and not run.train.last.value >= ACCEPTABLE
    is_slow = last.value + 3 * run.gain < ACCEPTABLE  # a run has three thirds
    if is_poor and (is_slow or not run.is_rising):
        slow = f", too slowly to reach {ACCEPTABLE} in a second run of this length" if run.is_rising else ""
        evidence = f"Smoothed validation mIoU {moved}{slow}, and {training}; many uses begin at {ACCEPTABLE}."
        return Diagnosis("underfitting", evidence, _UNDERFITTING_ADVICE)
    if run.is_rising:
        return Diagnosis("still improving", f"Smoothed validation mIoU {moved}, and {training}.", _longer(run))
    return Diagnosis("healthy", f"Smoothed validation mIoU {moved}, and {training}{_loss_fell(run)}.", _HEALTHY_ADVICE)


def _too_short(run: _Run) -> Diagnosis:
    validated = len(run.validation)
    times = f"{validated or 'None'} of {run.epochs} epochs {'were' if validated > 1 else 'was'} validated"
    if not validated and run.epochs >= MIN_VALIDATED:
        why = "nothing shows what the model does on images it was not trained on"
        advice = "Give the dataset a validation folder; if it has one, raise `epochs` or `budget`."
    else:
        why = f"a curve of fewer than {MIN_VALIDATED} points shows no bend"
        advice = "Raise `epochs` to 10 or more, or give a longer `budget`."
    return Diagnosis("too short to say", f"{times}, and {why}{_loss_fell(run)}.", advice)


def _fall(curve: Curve) -> str:
    best, last = curve.highest, curve.last
    return f"{best.value:.2f} in epoch {best.epoch} to {last.value:.2f} in epoch {last.epoch}"


def _loss_fell(run: _Run) -> str:
    first, last = run.train_loss.first.value, run.train_loss.last.value
    return f"; training loss went from {first:.3g} to {last:.3g}" if len(run.train_loss) > 1 else ""


def _slower(run: _Run) -> str:
    to = "" if math.isnan(run.top_rate) else f" from {run.top_rate:.2g} to about {run.top_rate / 3:.1g}"
    return f"Lower `learning_rate`{to}; if that is not enough, raise `warmup` and lower `gradient_clipping` to 1."


def _longer(run: _Run) -> str:
    return (
        f"Train longer: raise `epochs` from {run.epochs} to about {math.ceil(1.5 * run.epochs)}, or `budget` by half, "
        "so that the learning rate falls later."
    )


_OVERFITTING_ADVICE = (
    "Raise `weight_decay`, widen the augmentation (lower `scale_min`, raise `scale_max` and `color_jitter`) and switch "
    "`early_stopping` on; if that is not enough, lower `learning_rate`, take a smaller `backbone` or label more images."
)
_UNDERFITTING_ADVICE = (
    "Raise `epochs` or `budget`, try a higher `learning_rate`, and then a larger `backbone` such as resnet-50; with "
    "`pretrained` off, switch it on."
)
_HEALTHY_ADVICE = (
    "Keep the settings; for a better model take a larger `backbone`, raise `crop_size` or label more images of the "
    "weakest classes."
)
