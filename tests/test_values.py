"""values.py: content as strict JSON has it."""

import json
import math

import numpy as np

from pixelwise.values import strict_json


def test_numbers_that_are_not_finite_are_null_at_any_depth() -> None:
    content = {"a": math.nan, "b": [1.5, -math.inf, (math.nan, 2)], "c": {"d": math.inf, "e": True}}
    assert strict_json(content) == {"a": None, "b": [1.5, None, [None, 2]], "c": {"d": None, "e": True}}


def test_texts_whole_numbers_and_nothing_stay_as_they_are() -> None:
    content = {"text": "nan", "whole": 10**400, "nothing": None, "list": []}
    assert strict_json(content) == content


def test_numpys_floats_become_pythons_and_names_texts() -> None:
    found = strict_json({7: np.float32(0.5), "b": np.float64("nan"), "c": [np.float64(0.1)]})
    assert json.dumps(found) == '{"7": 0.5, "b": null, "c": [0.1]}'
