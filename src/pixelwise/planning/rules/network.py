"""The network: trunk, head, and how finely it looks."""

from collections.abc import Callable

from pixelwise.models.backbones import checked_name
from pixelwise.models.trunks import CPU, GPU, TRUNKS, Trunk
from pixelwise.phrases import length
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts
from pixelwise.planning.machine import Machine

LARGE = 1024
"""Images with a longer shorter side than this, in pixels, are seen at a smaller scale where their objects allow it."""

_SHORT = 600  # seconds: in so few a CPU takes too few steps with a larger trunk

# Most billions of multiply-adds for an image of 256 x 256 pixels: half of a ResNet-18 and less where minutes count.
_GMACS = {"a few minutes of a CPU": 0.5, "cpu": 1.5, "cuda": 6.0}

_BROAD = 8.0  # pixels that an object must keep across at a smaller scale


def decide_weights(
    draft: Draft, machine: Machine, unavailable: Callable[[str], str | None], *, starts: bool
) -> str | None:
    """The trunk and what it starts from; a sentence where it must start at random though nobody wanted that.

    `unavailable` says why a trunk's weights cannot be had, else None. `starts`: a trained model or a file brings them.
    """
    checked_name(draft["backbone"])
    if starts:
        draft.decide("backbone", draft["backbone"], "the trunk that the weights belong to")
        draft.decide("pretrained", draft["pretrained"], "the weights that were given come first")
        return None
    if draft.is_given("pretrained") and not draft["pretrained"]:
        draft.decide("backbone", "resnet18", "without weights the trunk that learned fastest from nothing")
        return None
    trunk = _recommended(machine, draft["budget"])
    names = [draft["backbone"]] if draft.is_given("backbone") else [trunk.name, draft["backbone"]]
    missing = ""
    for name in names:
        missing = unavailable(name) or ""
        if not missing:
            reason = f"{trunk.purpose}; {trunk.gmacs:g} GMACs for an image of 256 px; {trunk.licence}"
            draft.decide("backbone", name, reason if name == trunk.name else "its weights can be had")
            draft.decide("pretrained", True, "ImageNet weights are worth more than any other setting on few images")
            return None
    draft.decide("backbone", draft["backbone"], "without weights the trunk that learned fastest from nothing")
    draft.decide("pretrained", False, f"its weights cannot be had: {missing}")
    if draft["pretrained"]:
        return None
    return (
        f"Warning: the trunk starts at random, for its weights cannot be had ({missing}). With weights far fewer "
        "images suffice: give --backbone-weights FILE, or train where they can be fetched."
    )


def decide_head(draft: Draft, facts: DataFacts) -> None:
    """The head, the stride of the last map, and the scale at which images are seen."""
    width = facts.width
    if width is None:
        reason = "it brings the trunk's finest maps back in"
    else:
        reason = f"{facts.width_text}, and its decoder works on the trunk's finest maps"
    draft.decide("algorithm", "unet", reason)
    if draft["algorithm"] == "unet":
        draft.decide("output_stride", 32, "the decoder brings fine maps back in, so that dilation would only cost time")
    else:
        draft.decide("output_stride", 16, "finer than the trunk's own 32 at a bearable cost")
    scale = _scale(facts)
    if scale == 1:
        draft.decide("input_scale", 1.0, f"images of {facts.side} px on their shorter side are seen as they are")
    else:
        broad = "" if width is None else f", at which {length(width)} wide objects are still {length(scale * width)}"
        draft.decide("input_scale", scale, f"images of {facts.side} px on their shorter side are seen smaller{broad}")


def _scale(facts: DataFacts) -> float:
    """1, 1/2 or 1/4: so small that images are not larger than needed, and that objects stay broad."""
    scale = 1.0
    while scale > 0.25 and facts.side * scale > LARGE and (facts.width or LARGE) * scale / 2 >= _BROAD:
        scale /= 2
    return scale


def _recommended(machine: Machine, budget: float | None) -> Trunk:
    """The largest trunk of the table for this machine and this time whose weights anybody may use for anything."""
    is_short = budget is not None and budget < _SHORT
    most = _GMACS["cuda" if machine.device == "cuda" else "a few minutes of a CPU" if is_short else "cpu"]
    kind = GPU if machine.device == "cuda" else CPU
    fitting = [trunk for trunk in TRUNKS if trunk.machine == kind and trunk.is_permissive and trunk.gmacs <= most]
    return max(fitting, key=lambda trunk: trunk.gmacs)
