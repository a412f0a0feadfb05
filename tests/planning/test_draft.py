"""What is given wins over what the rules decide, and everything has its reason."""

import pytest

from pixelwise.planning.draft import Draft
from pixelwise.settings import FIELDS, Settings


def test_what_is_given_is_not_decided():
    draft = Draft({"crop_size": "96"})
    draft.decide("crop_size", 256, "images are large")
    assert draft["crop_size"] == 96
    assert draft.settings() == Settings(crop_size=96)


def test_a_later_rule_sees_what_an_earlier_one_decided():
    draft = Draft({})
    draft.decide("algorithm", "unet", "thin objects")
    assert draft["algorithm"] == "unet"
    assert draft.settings().algorithm == "unet"


def test_every_planned_setting_has_one_decision_in_the_order_of_the_settings():
    draft = Draft({"flip": 0.0})
    draft.decide("crop_size", 128, "small images")
    found = draft.decisions()
    planned = [name for name, field in FIELDS.items() if field.metadata["planned"]]
    assert [each.setting for each in found] == planned
    by_name = {each.setting: each for each in found}
    assert by_name["flip"].is_given
    assert by_name["flip"].to_json() == {"setting": "flip", "value": 0.0, "by": "you", "reason": "given"}
    assert by_name["crop_size"].to_json() == {
        "setting": "crop_size",
        "value": 128,
        "by": "plan",
        "reason": "small images",
    }


def test_a_setting_without_a_plan_cannot_be_decided():
    with pytest.raises(ValueError, match="seed is no planned setting"):
        Draft({}).decide("seed", 1, "why not")
