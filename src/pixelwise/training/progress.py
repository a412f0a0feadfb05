"""What a run says: a bar on a terminal, lines in a log, metrics.jsonl and TensorBoard for programs."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pixelwise.outputs import write_text
from pixelwise.settings import Settings


class Observer:
    """What a run tells while it trains. This one listens to nothing; others override what interests them."""

    def on_step(  # six numbers of a step
        self, *, epoch: int, step: int, steps: int, loss: float, rate: float, left: float, learning_rate: float
    ) -> None:
        """After a step: `rate` in images per second, `left` seconds of training to go; the highest learning rate."""

    def on_trained(self, row: Mapping[str, Any]) -> None:
        """After an epoch's last step, before its validation: what its line of metrics.jsonl says of training."""

    def on_validation(self, images: int) -> None:
        """While validating: so many images more are done."""

    def on_best(self, bundle: Path) -> None:
        """A model better than all before was written to the folder `bundle`."""

    def on_epoch(self, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """After an epoch: its line of metrics.jsonl, and all lines so far."""

    def say(self, text: str) -> None:
        """Something worth a line."""


class Audience(Observer):
    """Several observers that are told as one, in their order."""

    def __init__(self, *listeners: Observer) -> None:
        self._listeners = listeners

    def on_step(self, **step: Any) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.on_step(**step)

    def on_trained(self, row: Mapping[str, Any]) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.on_trained(row)

    def on_validation(self, images: int) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.on_validation(images)

    def on_best(self, bundle: Path) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.on_best(bundle)

    def on_epoch(self, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.on_epoch(row, rows)

    def say(self, text: str) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.say(text)


class LineLog(Observer):
    """Writes what is said into a run folder's log.txt and shows it on stderr."""

    def __init__(self, folder: Path, *, is_quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=is_quiet, highlight=False, soft_wrap=True)
        self._log = (folder / "log.txt").open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._log.close()

    def say(self, text: str) -> None:
        """Show a line and keep it in log.txt."""
        self._console.print(text, markup=False)
        self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self._log.flush()


class RunLog(LineLog):
    """Writes a run folder's log.txt, metrics.jsonl and TensorBoard events and shows progress on stderr."""

    def __init__(self, folder: Path, settings: Settings, *, is_quiet: bool = False) -> None:
        super().__init__(folder, is_quiet=is_quiet)
        self._folder = folder
        self._epochs = "" if settings.budget is not None else f"/{settings.epochs}"
        self._bar = _progress_bar(self._console) if self._console.is_terminal else None
        self._task: TaskID | None = None
        self._said = 0.0
        self._board = _tensorboard(folder)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._board.close()
        super().__exit__(*error)

    def on_step(  # see Observer
        self, *, epoch: int, step: int, steps: int, loss: float, rate: float, left: float, learning_rate: float
    ) -> None:
        """Move the bar, or in a log print a line every half minute."""
        text = f"loss {loss:.4f}  {rate:.1f} images/s  {_clock(left)} left"
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=steps, text="")
            name = f"epoch {epoch}{self._epochs}"
            self._bar.update(self._task, completed=step, total=steps, description=name, text=text)
        elif time.monotonic() - self._said > 30:
            self._said = time.monotonic()
            self.say(f"epoch {epoch}{self._epochs}  step {step}/{steps}  {text}")

    def on_epoch(self, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Say the epoch's line and rewrite metrics.jsonl, which thus never holds half a line."""
        self.say(f"epoch {row['epoch']}{self._epochs}  {epoch_text(row)}")
        write_text(self._folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in rows))
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                self._board.add_scalar(name, value, row["epoch"])
        self._board.flush()


def epoch_text(row: Mapping[str, Any]) -> str:
    """The numbers of an epoch for people, such as "loss 0.51 train, 0.60 validation  mIoU ..."."""
    parts = []
    for name, key in (("loss", "loss"), ("mIoU", "miou"), ("pixel accuracy", "pixel_accuracy")):
        train, validation = row[f"train_{key}"], row[f"validation_{key}"]
        parts.append(f"{name} {_number(train)} train, {_number(validation)} validation")
    return "  ".join([*parts, f"{row['train_images_per_second']:.1f} images/s  {row['seconds']:.0f} s"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _progress_bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    return Progress(*columns, TextColumn("{task.fields[text]}"), console=console, transient=True)


def _tensorboard(folder: Path) -> Any:
    from torch.utils.tensorboard.writer import SummaryWriter  # late: slow to import

    return SummaryWriter(str(folder / "tensorboard"))
