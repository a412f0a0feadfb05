"""When a run is over, and what a stop in its validation leaves behind."""

import contextlib
import dataclasses
import json
import math
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import pixelwise
from pixelwise.bundle import load_bundle
from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import Interrupted
from pixelwise.runtime import Runtime, started
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.scoring.validate import Validation, validate
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.loop import Candidate, Run
from pixelwise.training.progress import Observer
from pixelwise.training.run import TrainingRequest, train_run

VALIDATED, SKIPPED = {"validation_images_per_second": 9.5}, {"validation_images_per_second": None}


def run_at(state, *, done, **changes):
    """A run that only knows how far it is."""
    runtime = Runtime(torch.device("cpu"), torch.float32)
    parts = dict.fromkeys(("batches", "validation", "stop", "observer", "checkpoints", "bundle"))
    learner = SimpleNamespace(runtime=runtime, settings=Settings(**changes))
    return Run(**parts, learner=learner, state=state, clock=SimpleNamespace(done=lambda _state: done))


def test_a_run_is_over_after_the_validation_of_its_last_epoch():
    assert run_at(TrainingState(epoch=2, rows=[VALIDATED] * 2), done=1.0).is_over()
    assert not run_at(TrainingState(epoch=1, rows=[VALIDATED]), done=0.5).is_over()


def test_a_run_is_not_over_in_an_epoch():
    assert not run_at(TrainingState(epoch=1, step=3, rows=[VALIDATED]), done=1.0).is_over()


def test_a_run_whose_budget_ended_without_a_validation_still_gets_one():
    assert not run_at(TrainingState(), done=1.0).is_over()
    assert not run_at(TrainingState(epoch=2, rows=[VALIDATED, SKIPPED]), done=1.0).is_over()


@pytest.mark.parametrize(("epoch", "without_gain", "is_over"), [(4, 3, True), (4, 2, False), (3, 3, False)])
def test_early_stopping_waits_for_its_first_epoch_and_its_patience(epoch, without_gain, is_over):
    state = TrainingState(epoch=epoch, epochs_without_gain=without_gain, rows=[VALIDATED] * epoch)
    early = {"early_stopping": True, "early_stopping_min_epochs": 4, "early_stopping_patience": 2}
    assert run_at(state, done=0.1, **early).is_over() is is_over
    assert not run_at(state, done=0.1).is_over()


class StopsInValidation(Observer):
    """Sends SIGTERM while the epoch `at` (1, 2, ...) is validated."""

    def __init__(self, at):
        self.at, self.epoch = at, 0

    def on_trained(self, row):
        self.epoch = row["epoch"]

    def on_validation(self, images):
        if self.epoch == self.at:
            signal.raise_signal(signal.SIGTERM)


def test_early_stopping_goes_by_the_usual_weights_and_the_best_by_those_that_are_kept():
    settings = Settings(early_stopping=True, early_stopping_min_epochs=1, early_stopping_patience=1)
    state = TrainingState(epoch=3, best_epoch=2, best_miou=0.5, epochs_without_gain=1)
    assert state.would_stall(0.5, settings)
    assert not state.would_stall(0.6, settings)
    assert (state.epoch, state.epochs_without_gain) == (3, 1)  # asking changes nothing
    state.epoch = 4
    assert state.note_score(0.4, settings, kept=0.7)
    assert (state.best_miou, state.best_epoch, state.epochs_without_gain) == (0.7, 4, 2)
    assert state.is_stalled(settings)


def scored(score):
    return Validation(SimpleNamespace(mean_iou=score))


@pytest.mark.parametrize(
    ("averaged", "raw", "best", "kept"),
    [
        (0.5, 0.6, 0.4, "raw"),
        (0.6, 0.5, 0.4, "averaged"),
        (0.5, 0.5, 0.4, "averaged"),
        (0.5, 0.6, 0.6, "averaged"),  # the best so far is as good
        (math.nan, math.nan, 0.0, "averaged"),
        (math.nan, 0.1, 0.0, "raw"),
    ],
)
def test_the_weights_as_they_stand_are_kept_where_they_are_the_best_of_all(averaged, raw, best, kept):
    run = run_at(TrainingState(epoch=3, best_epoch=2, best_miou=best), done=1.0)
    run.observer = Observer()
    both = [Candidate(None, "averaged", scored(averaged)), Candidate(None, "raw", scored(raw))]
    assert run._kept(both).weights == kept
    assert run._kept(both[:1]).weights == "averaged"
    assert run._kept([]) is None


def raw_is_right(model, batches, **how):
    """`validate`, with a perfect score for weights that are being trained."""
    found = validate(model, batches, **how)
    if not next(model.parameters()).requires_grad:
        return found
    counts = np.diag(found.scores.confusion.counts.sum(axis=1))
    scores = Scores(ConfusionMatrix(len(counts), counts), found.scores.labels)
    return dataclasses.replace(found, scores=scores)


class Killed(BaseException):
    """Stands for SIGKILL."""


class KilledAt(Observer):
    """Dies when the row of the second epoch is told: its model is written, its checkpoint is not; or after both."""

    def __init__(self, when):
        self.when = when

    def on_epoch(self, row, rows):
        if self.when == "row" and row["epoch"] == 2:
            raise Killed

    def say(self, text):
        if self.when == "end" and text.startswith("Best validation"):
            raise Killed


@pytest.mark.parametrize("is_raw_better", [False, True])
@pytest.mark.parametrize("when", ["row", "end"])
def test_a_run_killed_around_its_last_checkpoint_ends_with_the_same_model(
    dataset, tmp_path, monkeypatch, when, is_raw_better
):
    if is_raw_better:
        monkeypatch.setattr("pixelwise.training.loop.validate", raw_is_right)
    report = check_dataset(open_dataset(dataset))
    network = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
    settings = Settings(**network, mini_batch_size=4, epochs=2, precision="float32", deterministic=True)
    whole, killed = (TrainingRequest(report, settings, tmp_path / name, is_quiet=True) for name in ("whole", "killed"))
    train_run(whole)
    with pytest.raises(Killed):
        train_run(dataclasses.replace(killed, listeners=[KilledAt(when)]))
    train_run(dataclasses.replace(killed, resume=True))
    rows = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["validated_weights"] == "averaged"
    found = [json.loads((tmp_path / name / "model" / "model.json").read_text()) for name in ("whole", "killed")]
    assert found[0] == found[1]
    if is_raw_better:
        assert (rows[1]["validated_weights"], rows[1]["validation_miou"]) == ("raw", 1)
        assert found[0]["provenance"]["data"]["weights"] == "raw"
        parts = torch.load(tmp_path / "killed" / "checkpoints" / "last.pt", weights_only=True)["parts"]
        kept = load_bundle(tmp_path / "killed").state
        assert all(torch.equal(kept[name], parts["model"][name]) for name in kept)
        assert not all(torch.equal(kept[name], parts["average"][name]) for name in kept)


def weights_of(result):
    return pixelwise.load(result.bundle, device="cpu").model.state_dict()


@pytest.mark.parametrize("at", [1, 2])
def test_a_stop_in_a_validation_writes_a_checkpoint_and_resumes_to_the_same_weights(dataset, tmp_path, at):
    report = check_dataset(open_dataset(dataset))
    network = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
    settings = Settings(**network, mini_batch_size=4, epochs=2, precision="float32", deterministic=True)
    whole = train_run(TrainingRequest(report, settings, tmp_path / "whole", is_quiet=True))
    stopped = tmp_path / "stopped"
    with pytest.raises(Interrupted, match=rf"epoch {at} .*--resume"):
        train_run(TrainingRequest(report, settings, stopped, is_quiet=True, listeners=[StopsInValidation(at)]))
    resumed = train_run(TrainingRequest(report, settings, stopped, is_quiet=True, resume=True))
    assert (resumed.best_epoch, resumed.epochs) == (whole.best_epoch, 2)
    torch.testing.assert_close(weights_of(resumed), weights_of(whole), rtol=0, atol=0)


class Hears(Observer):
    """Keeps what it is told, beside its name."""

    def __init__(self, name, heard):
        self.name, self.heard = name, heard

    def say(self, text):
        self.heard.append((self.name, text))

    def on_epoch(self, row, rows):
        self.heard.append((self.name, row["epoch"]))


def test_every_listener_is_told_everything_in_order(dataset, tmp_path):
    report, heard = check_dataset(open_dataset(dataset)), []
    network = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
    settings = Settings(**network, mini_batch_size=4, epochs=1, precision="float32")
    listeners = [Hears("first", heard), Hears("second", heard)]
    train_run(TrainingRequest(report, settings, tmp_path / "run", is_quiet=True, listeners=listeners))
    assert ("first", 1) in heard
    assert heard[::2] == [("first", what) for _name, what in heard[1::2]]
    assert {name for name, _what in heard[1::2]} == {"second"}


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_run_lets_go_of_its_group_before_the_group_ends(dataset, tmp_path, monkeypatch, is_stopped):
    order = []
    leave = Learner.leave_group
    monkeypatch.setattr(Learner, "leave_group", lambda learner: (order.append("left"), leave(learner)))

    @contextlib.contextmanager
    def ending(*arguments, **options):
        try:
            with started(*arguments, **options) as runtime:
                yield runtime
        finally:
            order.append("ended")

    monkeypatch.setattr("pixelwise.training.run.started", ending)
    network = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
    settings = Settings(**network, mini_batch_size=4, epochs=1, precision="float32")
    listeners = [StopsInValidation(1)] if is_stopped else []
    request = TrainingRequest(check_dataset(open_dataset(dataset)), settings, tmp_path / "run", is_quiet=True,
                              listeners=listeners)  # fmt: skip
    with pytest.raises(Interrupted) if is_stopped else contextlib.nullcontext():
        train_run(request)
    assert order == ["left", "ended"]


def test_what_leaves_its_group_computes_by_itself():
    class Wrapped(torch.nn.Module):
        """In place of DistributedDataParallel."""

    learner = Learner.__new__(Learner)
    learner.model, learner.network = torch.nn.Linear(1, 1), Wrapped()
    learner.leave_group()
    assert learner.network is learner.model
