"""Checkpoints: all that an interrupted run needs to go on to the very same weights."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from pixelwise.errors import ModelError, SettingsError
from pixelwise.outputs import whole
from pixelwise.settings import Settings

FORMAT = 1


@dataclass(slots=True)
class TrainingState:
    """How far a run is; together with weights and optimizer everything that changes while training."""

    pieces: int = 1
    """Parts each process computes its share of a batch in; doubled when memory runs out."""
    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Steps of the current epoch that are done."""
    updates: int = 0
    """Steps since the start."""
    seconds: float = 0.0
    """Time spent, over all sessions."""
    began: float = 0.0
    """Time spent before the first step."""
    trained_seconds: float = 0.0
    """Time of all steps so far."""
    validation_images: int | None = None
    """How many images, evenly spread, every validation of this run sees; None for all."""
    best_miou: float = 0.0
    best_epoch: int = 0
    epochs_without_gain: int = 0
    loss_sum: float = 0.0
    """Loss of the current epoch's images so far, in nats, of this process."""
    counts: torch.Tensor | None = None
    """(K, K) int64: confusion of the current epoch's training pixels so far, of this process."""
    step_seconds: float = 0.0
    """Time of the current epoch's steps so far."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The lines of metrics.jsonl."""

    def count_step(self, loss: float, *, seconds: float) -> None:
        """Count a step of the current epoch."""
        self.step += 1
        self.updates += 1
        self.loss_sum += loss
        self.step_seconds += seconds
        self.trained_seconds += seconds

    def close_epoch(self, row: dict[str, Any]) -> None:
        """Add the line of an epoch whose last step is done."""
        self.rows.append(row)
        self.epoch, self.step = self.epoch + 1, 0
        # Sums of one epoch: its losses, pixels and seconds are in its line, and the next one's begin at nothing.
        self.loss_sum, self.step_seconds, self.counts = 0.0, 0.0, None

    def is_validated(self) -> bool:
        """Whether the last epoch was validated and none was begun since."""
        # By the speed, for the scores are null too where no pixel has a label.
        return self.step == 0 and bool(self.rows) and self.rows[-1]["validation_images_per_second"] is not None

    def is_stalled(self, settings: Settings) -> bool:
        """Whether early stopping ends the run here."""
        return (
            settings.early_stopping
            and self.epoch >= settings.early_stopping_min_epochs
            and self.epochs_without_gain > settings.early_stopping_patience
        )

    def would_stall(self, score: float, settings: Settings) -> bool:
        """Whether early stopping ends the run with the epoch under way if its mean IoU is `score`."""
        after = replace(self, epoch=self.epoch + 1)
        after.note_score(score, settings)
        return after.is_stalled(settings)

    def note_score(self, score: float, settings: Settings, *, kept: float | None = None) -> bool:
        """Count a validation of mean IoU `score`; return whether what it would keep is the best so far.

        That may be other weights with a better score, `kept`; early stopping goes by `score`, for one kind of weights.
        """
        is_first = self.best_epoch == 0
        is_gain = is_first or score > self.best_miou * (1 + settings.early_stopping_tolerance)
        self.epochs_without_gain = 0 if is_gain else self.epochs_without_gain + 1
        reached = score if kept is None else kept
        if not is_first and reached <= self.best_miou:
            return False
        self.best_miou, self.best_epoch = reached, self.epoch
        return True


class Checkpoints:
    """The folder RUN/checkpoints with `last.pt` and `best.pt`."""

    def __init__(
        self, folder: Path, settings: Settings, data_fingerprint: str, bands: Mapping[str, Any] | None = None
    ) -> None:
        """`bands` are those of the images, as JSON has them; None where these are photographs as ever."""
        self.last, self.best = folder / "last.pt", folder / "best.pt"
        self._identity: dict[str, Any] = {
            "format": FORMAT,
            "settings": _comparable(settings),
            "data": data_fingerprint,
            "bands": None if bands is None else dict(bands),
        }

    def save(self, state: TrainingState, parts: Mapping[str, Any], *, is_best: bool = False) -> None:
        """Write `last.pt` (and `best.pt`); a kill at any moment leaves the previous file whole.

        Args:
            state: how far the run is.
            parts: name -> state dict of the model, the optimizer and the averaged model.
            is_best: whether these are the weights with the best score so far.
        """
        with whole(self.last) as temporary:
            torch.save({**self._identity, "state": asdict(state), "parts": dict(parts)}, temporary)
            if is_best:
                with whole(self.best) as copy:
                    shutil.copyfile(temporary, copy)

    def load(self, device: torch.device) -> tuple[TrainingState, dict[str, Any]]:
        """The state and the parts of `last.pt`.

        Raises:
            ModelError: the file is missing or damaged.
            SettingsError: it belongs to other settings or other data, so that going on could not be exact.
        """
        if not self.last.is_file():
            raise ModelError(
                f"{self.last}: no checkpoint, so there is nothing to resume. Train without --resume, "
                "or name the run folder that was interrupted."
            )
        try:
            content = torch.load(self.last, map_location=device, weights_only=True)
            state = TrainingState(**content["state"])
            identity = {key: content.get(key) if key == "bands" else content[key] for key in self._identity}
            parts = dict(content["parts"])
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ModelError(
                f"{self.last}: not a checkpoint of this version ({type(error).__name__}). "
                "Start a new run in another --output folder."
            ) from None
        self._require_same(identity)
        return state, parts

    def _require_same(self, found: Mapping[str, Any]) -> None:
        if found["format"] != FORMAT:
            raise ModelError(f"{self.last}: format {found['format']}, expected {FORMAT}. Start a new run.")
        if found["data"] != self._identity["data"] or found["bands"] != self._identity["bands"]:
            raise SettingsError(
                f"{self.last}: the training images are not those the run began with, so resuming could not be "
                "exact. Restore the dataset, or start a new run in another --output folder."
            )
        before = _comparable(Settings())
        for name, value in self._identity["settings"].items():
            # A run of before there was this setting did what its default does.
            began = found["settings"].get(name, before[name])
            if began != value:
                raise SettingsError(
                    f"{self.last}: the run began with {name} = {began!r}, now it is {value!r}. "
                    "Resume with the same settings, or start a new run in another --output folder."
                )


def _comparable(settings: Settings) -> dict[str, Any]:
    values = settings.to_json()
    # How many threads prepare the batches does not change them.
    del values["num_workers"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
