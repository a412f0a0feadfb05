"""A budget of money: how much time it buys at the price of the machine."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pixelwise.errors import SettingsError
from pixelwise.settings import Settings
from pixelwise.values import duration_text, parse_money


class Bought(NamedTuple):
    """Settings whose budget is a time; and where money was named, a sentence on what it bought."""

    settings: dict[str, Any]
    remarks: tuple[str, ...] = ()


def with_time_for_money(config: Path | None, given: Mapping[str, Any], price: float | None) -> Bought:
    """`given` with a budget in money, its own or else that of the file `config`, as the seconds that it buys.

    Args:
        config: a file of settings, over which those given win.
        given: settings by name.
        price: of the machine in USD an hour.

    Raises:
        SettingsError: money without a price or a price without money; the price or the file cannot be used.
    """
    values = given if "budget" in given or config is None else Settings.values_of(config)
    budget = values.get("budget")
    usd = parse_money(budget)
    if usd is None:
        if price is not None:
            raise SettingsError(
                f"price is {price:g}, but budget is {budget!r}, which is no money. Give a budget such as 3usd, or "
                "leave the price out."
            )
        return Bought(dict(given))
    if price is None:
        raise SettingsError(
            f"budget is {budget!r}, and what time that buys depends on the machine. Give its price in USD an hour with "
            "--price 0.736 (price=0.736), or its name with --instance ml.g4dn.xlarge."
        )
    if not 0 < price < math.inf:
        raise SettingsError(f"price is {price:g}, expected USD an hour above 0, such as 0.736.")
    seconds = 3600 * usd / price
    sentence = f"{usd:g} USD at {price:g} USD an hour are a budget of {duration_text(seconds)}."
    return Bought({**given, "budget": seconds}, (sentence,))
