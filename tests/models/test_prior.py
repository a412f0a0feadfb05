"""What class weights do to probabilities, and how much of it is undone."""

import math

import pytest
import torch

from pixelwise.errors import ModelError
from pixelwise.models.prior import STRENGTHS, Prior


def test_the_shift_is_minus_strength_times_the_logarithm_of_the_weight():
    prior = Prior((1.0, math.exp(2), math.exp(-4)), 0.5)
    assert prior.shift().tolist() == pytest.approx([0, -1, 2])
    assert prior.shift().dtype == torch.float32


def test_a_class_that_the_loss_never_asked_for_keeps_its_logit():
    assert Prior((0.0, math.e, math.inf), 1.0).shift().tolist() == pytest.approx([0, -1, 0])


def test_all_of_the_weights_undone_gives_the_probabilities_back():
    # Cross entropy over pixels of shares p and weights w, sum -p w log q, is least at q = p w / sum(p w).
    shares, weights = torch.tensor([0.9, 0.06, 0.04]), torch.tensor([0.4, 5.0, 8.0])
    learned = shares * weights / (shares * weights).sum()
    undone = (learned.log() + Prior(tuple(weights.tolist()), 1.0).shift()).softmax(0)
    torch.testing.assert_close(undone, shares, rtol=1e-5, atol=0)


def test_the_candidates_have_the_same_weights_and_rise_from_nothing_to_everything():
    found = list(Prior((1.0, 2.0), 0.3).candidates())
    assert [each.strength for each in found] == list(STRENGTHS) == [0, 0.25, 0.5, 0.75, 1]
    assert {each.weights for each in found} == {(1.0, 2.0)}


def test_a_prior_is_kept_as_json():
    prior = Prior((0.5, 0.0), 0.25)
    assert prior.to_json() == {"strength": 0.25, "weights": [0.5, 0.0]}
    assert Prior.of_json(prior.to_json(), 2, source="model.json") == prior
    assert Prior.of_json(None, 2, source="model.json") is None


@pytest.mark.parametrize(
    "found",
    [
        "0.5",
        {},
        {"strength": 0.5},
        {"strength": 0.5, "weights": [1.0]},
        {"strength": 0.5, "weights": [1.0, -1.0]},
        {"strength": 0.5, "weights": [1.0, "2"]},
        {"strength": 0.5, "weights": [1.0, math.inf]},
        {"strength": 0.5, "weights": [1.0, 10**400]},
        {"strength": 0.5, "weights": {"0": 1.0, "1": 2.0}},
        {"strength": 1.5, "weights": [1.0, 2.0]},
        {"strength": None, "weights": [1.0, 2.0]},
        {"strength": math.nan, "weights": [1.0, 2.0]},
    ],
)
def test_anything_else_is_refused_with_what_was_expected(found):
    with pytest.raises(ModelError, match=r"model.json: prior is .*, expected a strength from 0 to 1 and 2 weights"):
        Prior.of_json(found, 2, source="model.json")


def test_a_sentence_says_how_much_is_undone_and_of_which_weights():
    text = Prior((0.9, 6.8), 0.5).sentence(["road", "crack"])
    assert "undoes 0.5 of the class weights (logits - 0.5 x log(weight))" in text
    assert "0.9 (road), 6.8 (crack)" in text
    assert "undoes none of the class weights," in Prior((0.9, 6.8)).sentence(["road", "crack"])
