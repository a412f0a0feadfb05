"""Interrupted for real, by signals, and resumed: the weights must be those of the run that was never stopped."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import TINY_FLAGS

FLAGS = [*TINY_FLAGS, "--epochs", "6", "--deterministic", "--mini-batch-size", "2", "--num-workers", "1"]
FLAGS += ["--color-jitter", "0.4", "--aux-loss-weight", "0.4"]
SECONDS = 180


def start(dataset: Path, run: Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "pixelwise.cli", "train", str(dataset), "--output", str(run), *FLAGS, *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    out, _ = process.communicate(timeout=SECONDS)
    return process.returncode, out


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.005)


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def learned(run: Path) -> list[dict]:
    """The lines of metrics.jsonl without the clock's numbers."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds" and not k.endswith("per_second")} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The dataset and the run that nobody interrupted."""
    from tests.conftest import draw_pair

    folder = tmp_path_factory.mktemp("whole")
    for split, count in (("train", 8), ("validation", 4)):
        for i in range(count):
            draw_pair(folder / "dataset", split, f"{split}{i}", seed=100 * count + i)
    code, out = finish(start(folder / "dataset", folder / "run"))
    assert code == 0, out
    return folder / "dataset", folder / "run"


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_a_run_killed_with_sigkill_resumes_to_the_same_bits(whole, tmp_path, delay):
    dataset, reference = whole
    run = tmp_path / "run"
    process = start(dataset, run)
    wait_for(run / "checkpoints" / "last.pt", process)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    written = os.stat(run / "checkpoints" / "last.pt").st_ino
    process = start(dataset, run, "--resume")
    while process.poll() is None and os.stat(run / "checkpoints" / "last.pt").st_ino == written:
        time.sleep(0.005)
    time.sleep(delay / 3)  # and killed again, further on
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, out = finish(start(dataset, run, "--resume"))
    assert code == 0, out
    assert learned(run) == learned(reference)
    assert digest(run) == digest(reference)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_an_epoch_writes_a_checkpoint_exits_with_3_and_resumes_exactly(whole, tmp_path, number):
    dataset, reference = whole
    run = tmp_path / "run"
    process = start(dataset, run)
    wait_for(run / "checkpoints" / "last.pt", process)
    process.send_signal(number)
    code, out = finish(process)
    assert code == 3, out
    assert "--resume" in out
    code, out = finish(start(dataset, run, "--resume"))
    assert code == 0, out
    assert learned(run) == learned(reference)
    assert digest(run) == digest(reference)


def test_a_run_killed_before_its_first_checkpoint_starts_again(whole, tmp_path):
    dataset, reference = whole
    run = tmp_path / "run"
    process = start(dataset, run)
    wait_for(run / "settings.json", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, out = finish(start(dataset, run, "--resume"))
    assert code == 0, out
    assert digest(run) == digest(reference)


# Half of the second checkpoint's bytes are on the disk, under the temporary name, when the kernel ends the process.
KILLED_WHILE_WRITING = """
import os, signal, sys
from pixelwise import cli, outputs

written = []
sync = outputs._sync

def killed(path):
    if "last.pt" in path.name:
        written.append(path)
    if len(written) == 2:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    sync(path)

outputs._sync = killed
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_kill_in_the_middle_of_writing_leaves_the_previous_checkpoint_whole(whole, tmp_path):
    dataset, reference = whole
    run = tmp_path / "run"
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, "train", str(dataset), "--output", str(run), *FLAGS]
    killed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = run / "checkpoints"
    half = next(folder.glob(".last.pt.*.tmp"))
    assert half.stat().st_size == pytest.approx((folder / "last.pt").stat().st_size / 2, rel=0.1)
    code, out = finish(start(dataset, run, "--resume"))
    assert code == 0, out
    assert learned(run) == learned(reference)
    assert digest(run) == digest(reference)
