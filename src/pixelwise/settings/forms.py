"""How settings are written that are more than one number, word or path."""

from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.menus import CLASS_WEIGHTS, LOSSES, VALUE_RANGES
from pixelwise.values import Form, parse_money, parse_sum, to_seconds, to_text, to_tuple, word_or_numbers


def _to_budget(value: Any) -> float:
    """Seconds; money is refused with what makes time of it."""
    if parse_money(value) is not None:
        raise SettingsError(
            f"budget is {value!r}, and what time money buys depends on the machine. Give it to `train` together with "
            "a price (--price 0.736 or --instance NAME), or give a duration such as 20m."
        )
    return to_seconds(value)


DURATION = Form(_to_budget, "a duration such as 90s, 20m or 1h30m")
EPOCH_LIST = Form(lambda value: to_tuple(value, int), "epochs such as 10,20")
WEIGHT_LIST = Form(
    word_or_numbers(CLASS_WEIGHTS), f"one of {', '.join(CLASS_WEIGHTS)} or one number per class such as 1,2,0.5"
)
BAND_LIST = Form(lambda value: to_tuple(value, int), "numbers of bands such as 4,3,2")
RANGE_LIST = Form(
    word_or_numbers(VALUE_RANGES),
    f"one of {', '.join(VALUE_RANGES)} or the lowest and the highest value such as 0,4095",
)
LOSS_SUM = Form(to_text, "a loss or a sum such as cross_entropy+0.5*dice")


def parse_loss(text: str) -> list[tuple[float, str]]:
    """(weight, name) of each term in a sum such as "cross_entropy+0.5*dice"."""
    return parse_sum("loss", text, LOSSES)
