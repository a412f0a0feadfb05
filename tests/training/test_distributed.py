"""Two processes on the CPU train as one process does at the same global batch."""

import json
import os
import socket
import subprocess
import sys

import pytest
import timm
import torch

from pixelwise.bundle import load_bundle

# The context module has no dropout, whose units the processes would draw differently.
FLAGS = ["--no-pretrained", "--backbone", "resnet10t", "--algorithm", "dilated", "--crop-size", "64"]
FLAGS += ["--mini-batch-size", "4", "--epochs", "3", "--precision", "float32", "--sync-bn", "--quiet"]
FLAGS += ["--learning-rate", "0.001", "--optimizer", "sgd", "--device", "cpu", "--num-workers", "1"]


def train(dataset, run, *more, processes):
    port = _free_port()
    started = []
    for rank in range(processes):
        world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        environment |= {name: str(value) for name, value in world.items()} if processes > 1 else {}
        command = [sys.executable, "-m", "pixelwise.cli", "train", str(dataset), "--output", str(run), *FLAGS, *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
    for process in started:
        out, _ = process.communicate(timeout=500)
        assert process.returncode == 0, out
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_processes_give_the_loss_curve_of_one(dataset, tmp_path):
    one = train(dataset, tmp_path / "one", processes=1)
    two = train(dataset, tmp_path / "two", processes=2)
    assert len(one) == len(two) == 3
    for name in ("train_loss", "validation_loss"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], rel=1e-4)
    for name in ("train_pixel_accuracy", "validation_pixel_accuracy", "validation_miou"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], abs=0.02)


@pytest.mark.slow
def test_a_trunk_that_makes_more_than_the_head_takes_trains_in_two_processes(dataset, tmp_path):
    # DistributedDataParallel refuses a second step where a parameter waits for a gradient that never comes.
    more = ["--backbone", "hrnet_w18", "--algorithm", "fcn", "--epochs", "1", "--crop-size", "32"]
    rows = train(dataset, tmp_path / "run", *more, processes=2)
    assert len(rows) == 1
    assert "have no way to the output of this head" in (tmp_path / "run" / "log.txt").read_text()


def test_two_processes_keep_a_frozen_trunk_and_learn_as_one(dataset, tmp_path):
    weights = timm.create_model("resnet10t").state_dict()
    torch.save(weights, tmp_path / "trunk.pt")
    more = ["--freeze", "backbone", "--backbone-weights", str(tmp_path / "trunk.pt"), "--epochs", "1"]
    one, two = (train(dataset, tmp_path / str(count), *more, processes=count) for count in (1, 2))
    assert two[0]["train_loss"] == pytest.approx(one[0]["train_loss"], rel=1e-4)
    state = load_bundle(tmp_path / "2").state
    kept = {name.removeprefix("backbone.trunk."): tensor for name, tensor in state.items() if "backbone" in name}
    assert all(torch.equal(tensor, weights[name]) for name, tensor in kept.items())
