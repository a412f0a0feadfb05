"""A plan in the making: what was given, what was decided, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.settings import FIELDS, Settings


@dataclass(frozen=True)
class Decision:
    """A setting's value and the one line that says why."""

    setting: str
    value: Any
    reason: str
    is_given: bool = False
    """Whether the user gave it, so that nothing was decided."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        by = "you" if self.is_given else "plan"
        return {"setting": self.setting, "value": value, "by": by, "reason": self.reason}


class Draft:
    """Settings that grow: what is given stays, and the rules decide the planned ones among the others."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._parsed = Settings.of(given)
        self._decisions: dict[str, Decision] = {}

    def __getitem__(self, name: str) -> Any:
        """The value of a setting as it stands: given, decided, or the default."""
        if name in self._decisions and name not in self._given:
            return self._decisions[name].value
        return getattr(self._parsed, name)

    def is_given(self, name: str) -> bool:
        """Whether the user gave a setting."""
        return name in self._given

    def decide(self, name: str, value: Any, reason: str) -> None:
        """Give a planned setting its value, unless the user gave one; the reason stays either way."""
        if not FIELDS[name].metadata["planned"]:
            raise ValueError(f"{name} is no planned setting")
        if name in self._given:
            return
        self._decisions[name] = Decision(name, value, reason)

    def settings(self) -> Settings:
        """All settings as they stand."""
        return self._parsed.changed(**{name: each.value for name, each in self._decisions.items()})

    def decisions(self) -> tuple[Decision, ...]:
        """One for each planned setting, in the order of the settings."""
        found = []
        for name in (name for name, field in FIELDS.items() if field.metadata["planned"]):
            if name in self._given:
                found.append(Decision(name, self[name], "given", is_given=True))
            else:
                found.append(self._decisions.get(name, Decision(name, self[name], "the default")))
        return tuple(found)
