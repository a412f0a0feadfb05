import os

import pytest

from pixelwise.errors import SettingsError
from pixelwise.serving.limits import MEBIBYTE, Limits


@pytest.mark.parametrize("name", ["max_bytes", "max_pixels", "max_requests", "max_batch", "timeout_seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_lets_nothing_through_is_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        Limits(**{name: value})


def test_transforms_at_once_times_their_payload_stay_within_what_a_batch_transform_allows(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for mebibytes in (1, 6, 10, 20, 60, 100):
        parameters = Limits(max_bytes=mebibytes * MEBIBYTE).execution_parameters()
        assert parameters["MaxPayloadInMB"] == mebibytes
        assert 1 <= parameters["MaxConcurrentTransforms"] * mebibytes <= 100


def test_a_two_core_machine_answers_as_the_image_that_it_stands_for(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert Limits(max_bytes=10 * MEBIBYTE).execution_parameters() == {
        "MaxConcurrentTransforms": 2, "MaxPayloadInMB": 10, "BatchStrategy": "MULTI_RECORD",
    }  # fmt: skip
