"""A training job as SageMaker lays it out below a root folder, and the container's commands as processes."""

import contextlib
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
from unittest import mock
from urllib.parse import urlsplit

from pixelwise.sagemaker.container.commands import main
from tests.conftest import REAL_DATA, draw_pair

CHANNELS = ("train", "train_annotation", "validation", "validation_annotation")
PHOTOGRAPHS = REAL_DATA / "camvid"
SECONDS = 240

# Eight tiny pictures of a bright square, and a network that learns them in seconds.
TINY = {
    "backbone": "resnet-18",
    "algorithm": "fcn",
    "use_pretrained_model": "False",
    "output_stride": "32",
    "crop_size": "32",
    "base_size": "64",
    "num_classes": "2",
    "num_training_samples": "8",
    "mini_batch_size": "4",
    "epochs": "4",
    "_aux_loss": "False",
}


def configure(root, hyperparameters, *, channels=None, **resources):
    """Write input/config; `channels` are those of inputdataconfig.json, by default four in File mode."""
    config = root / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    given = {name: {"TrainingInputMode": "File"} for name in CHANNELS} if channels is None else channels
    where = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0", **resources}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps(given))
    (config / "resourceconfig.json").write_text(json.dumps(where))


def tiny_job(root, **changes):
    """The small job below `root`; hyperparameters that are None are left out."""
    for split, count in (("train", 8), ("validation", 4)):
        for i in range(count):
            draw_pair(root / "input" / "data", split, f"{split}{i}", seed=100 * count + i)
    configure(root, {name: text for name, text in {**TINY, **changes}.items() if text is not None})
    return root


def photograph_job(root, hyperparameters, *, train, validation):
    """A job on the first photographs of a street, uploaded as the public notebook does: with the prefix trap."""
    data = root / "input" / "data"
    for split, count in (("train", train), ("validation", validation)):
        images, masks = data / split, data / f"{split}_annotation"
        images.mkdir(parents=True)
        masks.mkdir()
        for photograph in sorted((PHOTOGRAPHS / split).iterdir())[:count]:
            shutil.copy(photograph, images)
            shutil.copy(PHOTOGRAPHS / f"{split}_annotation" / f"{photograph.stem}.png", masks)
        # The S3 prefix `train` also matches `train_annotation`.
        shutil.copytree(masks, images / masks.name)
    configure(root, hyperparameters)


def start(command, root, **environment):
    """`pixelwise sagemaker COMMAND --root ROOT` as a process."""
    arguments = [sys.executable, "-m", "pixelwise.sagemaker", command, "--root", str(root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(arguments, env={**os.environ, **environment}, **pipes)


def finish(process):
    """Its exit code and what it printed."""
    out, _ = process.communicate(timeout=SECONDS)
    return process.returncode, out


def train(root, **environment):
    """Run a job to its end in this process; its exit code and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), mock.patch.dict(os.environ, environment):
        code = main(["train", "--root", str(root)])
    return code, printed.getvalue()


class Endpoint:
    """The container's `serve` on a free port, as a client sees it."""

    def __init__(self, root):
        self.process = start("serve", root, SAGEMAKER_BIND_TO_PORT="0")
        said = []
        for line in self.process.stdout:
            said.append(line)
            if '"listening"' in line:
                self.address = urlsplit(json.loads(line)["url"])
                return
        raise AssertionError("".join(said))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.terminate()
        self.code, self.rest = finish(self.process)

    def post(self, content, accept, content_type="image/jpeg"):
        """Status and bytes of an answer of /invocations."""
        headers = {"Content-Type": content_type, "Accept": accept, "X-Amzn-SageMaker-Custom-Attributes": "unknown"}
        return self._ask("POST", "/invocations", content, headers)

    def get(self, path):
        """Status and bytes of an answer."""
        return self._ask("GET", path)

    def _ask(self, *request):
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(*request)
            answer = connection.getresponse()
            return answer.status, answer.read()
