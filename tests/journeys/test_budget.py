"""Whole trainings under a budget: beside other load, too short, in money, and interrupted."""

import json
import time

import pytest
import torch

import pixelwise
import pixelwise.scoring.evaluate as closer_look
import pixelwise.scoring.validate as validation
from pixelwise.inference import forward, predictor
from pixelwise.training import loop
from pixelwise.training.budget import examination
from pixelwise.training.budget.clock import Clock
from tests.conftest import TINY_FLAGS, draw_pair

FLAGS = [*(flag for flag in TINY_FLAGS if flag not in ("--epochs", "2")), "--quiet", "--num-workers", "1"]


@pytest.fixture
def validated(dataset):
    """The dataset with 40 validation images."""
    for i in range(4, 40):
        draw_pair(dataset, "validation", f"validation{i}", seed=5000 + i)
    return dataset


class Simulated:
    """A clock that stands still but for what steps and images take; `load` slows both down."""

    def __init__(self, monkeypatch):
        self.now, self.load, self.step, self.image, self.steps = 1000.0, 1.0, 1.0, 0.5, 0
        self.on_step = lambda: None
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        for module in (closer_look, validation, examination, predictor):
            self._slow(monkeypatch, module, "class_logits", lambda: self.image)
        self._slow(monkeypatch, loop, "step_within_memory", self._stepped)

    def _stepped(self):
        self.steps += 1
        self.on_step()
        return self.step

    def _slow(self, monkeypatch, module, name, seconds):
        function = getattr(module, name)

        def slow(first, second, *more, **how):
            images = len(second) if name == "class_logits" else 1
            self.now += self.load * images * seconds()
            return function(first, second, *more, **how)

        monkeypatch.setattr(module, name, slow)

    def train(self, dataset, folder, **settings):
        """Train with 14 s of start before it; the whole time, and that of the steps without load."""
        began = self.now
        flags = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
        flags |= {"mini_batch_size": 4, "precision": "float32", "num_workers": 1, "quiet": True}
        pixelwise.train(dataset, output=folder, started=began - 14, **flags, **settings)
        return self.now - began + 14, self.steps * self.step


def train(run, dataset, folder, *flags):
    began = time.monotonic()
    code, _out, err = run("train", dataset, "--output", folder, *FLAGS, *flags)
    return code, err, time.monotonic() - began


def test_a_budget_ends_in_time_with_fewer_images_and_two_thirds_of_it_are_steps(tmp_path, validated, monkeypatch):
    seconds, steps = Simulated(monkeypatch).train(validated, tmp_path / "run", budget="90s")
    # Of the 30 s beside steps 14 s went to the start; 2 s an image leave time for 5 or fewer.
    assert steps >= 60
    assert seconds <= 90
    log = (tmp_path / "run" / "log.txt").read_text()
    model = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    images = model["scores"]["images"]
    assert images in (4, 5)
    said = f"Validation uses {images} of 40 images, evenly spread, to leave two thirds of the budget to training."
    assert said in log
    assert model["provenance"]["data"]["validation_images"] == images
    assert model["provenance"]["data"]["validation_images_in_all"] == 40
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["validation_images"] == images
    content = json.loads((tmp_path / "run" / "report" / "content.json").read_text())
    assert any(f"{images} of 40 validation images" in note for note in content["scores"]["notes"])
    assert f"{images} of 40 validation images" in (tmp_path / "run" / "report" / "index.html").read_text()
    # Four images were measured, 2 s, until a fiftieth of the budget was over.
    assert f"The budget of 1m30s: {steps:.0f} s of steps, 16 s before the first, " in log


@pytest.mark.parametrize("at", [5, 20, 40])
def test_load_that_doubles_in_training_does_not_make_a_budget_longer(tmp_path, validated, monkeypatch, at):
    simulated = Simulated(monkeypatch)
    simulated.on_step = lambda: setattr(simulated, "load", 2.0 if simulated.steps >= at else 1.0)
    seconds, _steps = simulated.train(validated, tmp_path / "run", budget="90s")
    assert seconds <= 1.1 * 90


def test_load_that_comes_after_training_ends_the_closer_look_early(tmp_path, validated, monkeypatch):
    simulated = Simulated(monkeypatch)
    simulated.image = 0.05

    def later(model, images, **how):
        simulated.now += 1.0 * len(images)  # 20 times as long as in validation
        return forward.class_logits(model, images, **how)

    monkeypatch.setattr(closer_look, "class_logits", later)
    seconds, _steps = simulated.train(validated, tmp_path / "run", budget="90s")
    assert seconds <= 1.1 * 90
    model = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    content = json.loads((tmp_path / "run" / "report" / "content.json").read_text())
    seen = len(content["images"])
    assert 4 <= seen < model["scores"]["images"]
    said = f"The closer look ended after {seen} of {model['scores']['images']} images"
    assert said in (tmp_path / "run" / "log.txt").read_text()
    assert any(said in note for note in content["scores"]["notes"])
    assert len(content["panels"]) < min(seen, 24)  # and there was less time for pictures


def test_a_budget_without_time_for_a_step_is_an_error_and_leaves_no_model(run, tmp_path, dataset):
    code, err, _seconds = train(run, dataset, tmp_path / "run", "--budget", "0.5s")
    assert code == 1
    assert "left no time for a single step, so there is no model. Starting took " in err
    assert "Give at least --budget " in err
    assert not (tmp_path / "run" / "model").exists()
    assert not (tmp_path / "run" / "report").exists()
    code, err, _seconds = train(run, dataset, tmp_path / "run", "--epochs", "1")  # the folder may be taken again
    assert code == 0, err


def test_less_than_an_epoch_is_said_in_log_and_report(run, tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 1))
    code, err, _seconds = train(run, dataset, tmp_path / "run", "--budget", "60s")
    assert code == 0, err
    said = "Warning: trained 1 step, less than one epoch of 2"
    assert said in (tmp_path / "run" / "log.txt").read_text()
    assert said in (tmp_path / "run" / "report" / "index.html").read_text()


def test_a_resumed_run_keeps_its_validation_images(run, tmp_path, validated, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Clock, "affordable", lambda _clock, _cost, _images: 5)
        patch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 2))
        code, err, _seconds = train(run, validated, folder, "--budget", "60s")
        assert code == 0, err
    monkeypatch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 4))
    code, err, _seconds = train(run, validated, folder, "--budget", "60s", "--resume")
    assert code == 0, err
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["validation_images"] for row in rows] == [5, 5]


def test_a_checkpoint_of_before_validates_on_all_images(run, tmp_path, validated, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 2))
        assert train(run, validated, folder, "--budget", "60s")[0] == 0
    content = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    for name in ("began", "trained_seconds", "validation_images"):
        del content["state"][name]
    torch.save(content, folder / "checkpoints" / "last.pt")
    monkeypatch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 4))
    monkeypatch.setattr(Clock, "affordable", lambda _clock, _cost, _images: 5)
    code, err, _seconds = train(run, validated, folder, "--budget", "60s", "--resume")
    assert code == 0, err
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["validation_images"] == 40


def test_money_becomes_time_by_a_price(run, tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 2))
    code, err, _seconds = train(run, dataset, tmp_path / "run", "--budget", "$0.05", "--price", "1.5")
    assert code == 0, err
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["budget"] == pytest.approx(120)
    assert "0.05 USD at 1.5 USD an hour are a budget of 2m." in (tmp_path / "run" / "log.txt").read_text()


def test_an_instance_has_its_price_and_a_file_may_name_money(run, tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(Clock, "done", lambda _clock, state: float(state.updates >= 2))
    config = tmp_path / "run.yaml"
    config.write_text("budget: 0.1 usd\ncrop_size: 32\n")
    flags = ["--config", config, "--instance", "ml.g4dn.xlarge"]
    code, err, _seconds = train(run, dataset, tmp_path / "run", *flags)
    assert code == 0, err
    # 0.1 USD of 0.736 USD an hour: 489.13 s.
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["budget"] == pytest.approx(489.130, abs=0.001)
    code, _out, err = run("check", dataset, "--config", config)  # which spends none
    assert code == 0, err


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (["--budget", "3usd"], "budget is '3usd', and what time that buys depends on the machine. Give its price"),
        (["--budget", "3usd", "--price", "0"], "price is 0, expected USD an hour above 0"),
        (["--budget", "20m", "--price", "1"], "price is 1, but budget is '20m', which is no money."),
        (["--price", "1"], "price is 1, but budget is None, which is no money."),
        (["--budget", "3usd", "--price", "1", "--instance", "ml.g4dn.xlarge"], "--price and --instance are both given"),
        (["--budget", "3usd", "--instance", "ml.g4dn.xlrge"], "Did you mean 'ml.g4dn.xlarge'?"),
        (["--budget", "3eur", "--price", "1"], "price is 1, but budget is '3eur', which is no money."),
    ],
)
def test_money_that_cannot_become_time_is_refused(run, tmp_path, dataset, flags, answer):
    code, err, _seconds = train(run, dataset, tmp_path / "run", *flags)
    assert code == 2
    assert answer in err
    assert not (tmp_path / "run").exists()
