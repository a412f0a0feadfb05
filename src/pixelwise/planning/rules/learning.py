"""How the network learns: rates, averages, losses, and which crops it is shown."""

from pixelwise.models.rates import recommended_rates
from pixelwise.phrases import factor, percent
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts

RARE = 0.1
"""A class is rare if it has less than this share of what an even division would give it."""

FOREGROUND = 1 / 3
"""nnU-Net's share of samples that must hold an object (Isensee et al., Nature Methods 18, 2021, supplement)."""

_AVERAGED = 0.1  # share of the training over which weights are averaged: early ones are far from where it ends
_LONGEST_AVERAGE = 0.999


def decide_losses(draft: Draft, facts: DataFacts) -> None:
    """The loss and what a class counts in it."""
    rare = _rarest(facts)
    if rare is None:
        draft.decide("loss", "cross_entropy", "every class has pixels enough to be learned from each of them alike")
    else:
        overlap = "Dice, the overlap that is scored, finds it sooner than cross entropy alone"
        draft.decide("loss", "cross_entropy+dice", f"{rare}: {overlap}")
    ratio = factor(facts.balance.imbalance_ratio)
    draft.decide(
        "class_weights",
        "inverse_square_root",
        f"the largest class has {ratio} times the pixels of the smallest; what the weights add is taken out of the "
        "prediction again, as far as validation asks for it",
    )


def decide_crops(draft: Draft, facts: DataFacts) -> None:
    """Mirroring, turning, and crops around what is rare."""
    draft.decide("upright", facts.orientation.upright, facts.orientation.reason.rstrip("."))
    draft.decide("flip", 0.5, "left and right are alike but for classes named left and right, which change places")
    rare = _rarest(facts)
    if rare is None:
        draft.decide("rare_crops", 0.0, "every class has enough pixels to be met by chance")
    else:
        draft.decide("rare_crops", round(FOREGROUND, 3), f"{rare}: most crops would miss it")


def _rarest(facts: DataFacts) -> str | None:
    """What the rarest class has of the pixels, if it is rare: "crack has 1.7 % of the pixels"; else None."""
    shares = {facts.labels.names[i]: facts.balance.pixel_shares[i] for i in facts.balance.present}
    name = min(shares, key=lambda name: shares[name])
    is_rare = len(shares) > 1 and shares[name] < RARE / len(shares)
    return f"{name} has {percent(shares[name])} of the pixels" if is_rare else None


def decide_rates(draft: Draft, *, has_weights: bool) -> None:
    """Learning rates by the kind of the trunk."""
    rates = recommended_rates(draft["backbone"])
    how = rates.source if has_weights else "the trunk starts at random, so that nothing in it is to be spared"
    draft.decide("learning_rate", rates.learning_rate, rates.source)
    draft.decide("weight_decay", rates.weight_decay, rates.source)
    factor, decay = (rates.pretrained_learning_rate_factor, rates.layer_decay) if has_weights else (1.0, 1.0)
    draft.decide("pretrained_learning_rate_factor", factor, how)
    draft.decide("layer_decay", decay, how)


def decide_average(draft: Draft, steps: int) -> None:
    """Averaged weights and warm-up, for so many steps."""
    horizon = max(1.0, _AVERAGED * steps)
    decay = min(_LONGEST_AVERAGE, round(1 - 1 / horizon, 4))
    draft.decide(
        "ema_decay", max(decay, 0.0), f"averages over a tenth of {steps} steps; the last weights are tried too"
    )
    draft.decide("warmup", 0.05, "a twentieth of the steps, in which the optimizer's moments settle")
