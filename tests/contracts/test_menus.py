"""A name on a menu is listed once: a toy of each kind, added in one place, is offered, explained, built, exported."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise import menus
from pixelwise.menus import (
    CLASS_WEIGHTS,
    FREEZES,
    HEADS,
    LOSSES,
    OPTIMIZERS,
    PLANS,
    PRECISIONS,
    SCHEDULES,
    TALLIES,
    VALUE_RANGES,
    Choice,
)
from pixelwise.scoring.formulas import ratio
from pixelwise.scoring.insight.tally import ScoreTally
from pixelwise.values import strict_json
from tests.conftest import TINY_FLAGS

MENUS = {
    "algorithm": HEADS,
    "loss": LOSSES,
    "class_weights": CLASS_WEIGHTS,
    "optimizer": OPTIMIZERS,
    "lr_scheduler": SCHEDULES,
    "precision": PRECISIONS,
    "freeze": FREEZES,
    "plan": PLANS,
    "value_range": VALUE_RANGES,
    "score": TALLIES,
}
ENTRIES = [(setting, name) for setting, menu in MENUS.items() for name in menu]


def test_every_menu_is_tried():
    found = {name: value for name, value in vars(menus).items() if isinstance(value, dict) and name.isupper()}
    assert list(found.values()) == list(MENUS.values())


@pytest.mark.parametrize(("setting", "name"), ENTRIES)
def test_every_choice_has_a_meaning_of_one_line_and_a_home(setting, name):
    choice = MENUS[setting][name]
    assert choice.meaning
    assert "\n" not in choice.meaning
    assert not choice.meaning.endswith(".")
    assert (choice.built() is None) == (choice.home is None)


class ToyHead(nn.Module):
    """One convolution, by a name of its own."""

    def __init__(self, channels, num_classes, *, strides, align_corners=False):
        super().__init__()
        self.say = nn.Conv2d(channels[-1], num_classes, 1)

    def forward(self, maps):
        return self.say(maps[-1])


def toy_loss(logits, class_ids, weights):
    return logits.square().mean()


def toy_optimizer(groups, settings):
    return torch.optim.SGD(groups, lr=settings.learning_rate)


def toy_schedule(settings, done, epoch):
    return 0.125


@pytest.fixture
def toys(monkeypatch):
    """Each toy in one place."""
    for menu, toy in ((HEADS, ToyHead), (LOSSES, toy_loss), (OPTIMIZERS, toy_optimizer), (SCHEDULES, toy_schedule)):
        choice = Choice(f"a toy for the test of {toy.__name__}", f"{__name__}:{toy.__name__}")
        monkeypatch.setitem(menu, "toy", choice)


def test_toys_added_in_one_place_each_are_trained_described_and_exported(toys, dataset, tmp_path, run):
    flags = ["--algorithm", "toy", "--loss", "toy+0.5*dice", "--optimizer", "toy", "--lr-scheduler", "toy"]
    flags += ["--warmup", "0", "--learning-rate", "0.08"]
    code, _, err = run("train", dataset, "--output", tmp_path / "run", *TINY_FLAGS, *flags)
    assert code == 0, err
    assert '"learning_rate": 0.01,' in (tmp_path / "run" / "metrics.jsonl").read_text()  # 0.08 / 8
    code, out, err = run("describe", tmp_path / "run")
    assert code == 0, err
    assert "a toy for the test of ToyHead." in out
    assert "say is a 1x1 convolution with 2 output channels" in out
    code, _, err = run("export", tmp_path / "run", "--output", tmp_path / "model.pt2")
    assert code == 0, err
    code, _, err = run("evaluate", tmp_path / "run", dataset, "--output", tmp_path / "scores")
    assert code == 0, err


@dataclass(frozen=True)
class ToyResult:
    toy_share: float

    def to_json(self):
        return {"definition": "toy_share: what the toy says.", **strict_json(vars(self))}


class ToyTally(ScoreTally):
    """The share of the labelled pixels that are predicted as class 1."""

    def __init__(self, num_classes, temperature=1.0):
        super().__init__(num_classes, temperature)
        self.sums = np.zeros(2)

    def add(self, image):
        labelled = image.truth != 255
        self.sums += [np.count_nonzero(labelled & (image.predicted == 1)), np.count_nonzero(labelled)]

    def numbers(self):
        return self.sums

    def scores(self, sums):
        return {"toy_share": ratio(sums[:, 0], sums[:, 1])}

    def held(self, sums):
        return sums[:, 1:]

    def result(self):
        return ToyResult(**self.summary())


def test_a_toy_score_added_in_one_place_is_written_with_its_interval_and_reported(
    monkeypatch, dataset, trained, tmp_path, run
):
    choice = Choice("how much the toy <sees>", f"{__name__}:ToyTally")
    monkeypatch.setitem(TALLIES, "toy", choice)
    flags = ["--split", "validation", "--output", tmp_path / "scores"]
    code, _, err = run("evaluate", trained, dataset, *flags)
    assert code == 0, err
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    # Class 1 was predicted as often as its column of the matrix says.
    matrix = np.array(scores["confusion"])
    value = matrix[:, 1].sum() / matrix.sum()
    assert scores["toy"] == {"definition": "toy_share: what the toy says.", "toy_share": pytest.approx(value)}
    low, high = scores["intervals"]["toy_share"]
    assert low <= value <= high
    page = (tmp_path / "scores" / "report" / "index.html").read_text()
    _, _, section = page.partition('<section id="toy"')
    section, _, _ = section.partition("</section>")
    assert ">How much the toy &lt;sees&gt;</h2>" in section
    assert ">toy share</th>" in section
    assert f">{value:.3f}</td>" in section
    assert f">{low:.3f} to {high:.3f}</td>" in section
    assert "toy_share: what the toy says." in section


def test_toys_added_in_one_place_each_are_offered_with_their_meaning(toys, run):
    code, out, _ = run("train", "--help")
    assert code == 0
    words = " ".join(out.split())
    for toy in ("ToyHead", "toy_loss", "toy_optimizer", "toy_schedule"):
        assert f"toy a toy for the test of {toy}" in words


def test_a_name_on_no_menu_is_refused_with_what_there_is(run):
    code, _, err = run("describe", "--algorithm", "deeplob")
    assert code == 2
    assert f"expected one of {', '.join(menus.HEADS)}. Did you mean 'deeplab'?" in err
