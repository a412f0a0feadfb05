"""The container's two commands over any root folder: train a job, serve a model."""

import contextlib
import json
import logging
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pixelwise.errors import Interrupted, SettingsError
from pixelwise.sagemaker.channels.channels import Channel, collect, read_channels
from pixelwise.sagemaker.container.failures import failure_of, report_failure
from pixelwise.sagemaker.hyperparameters.parse import Hyperparameters, default_configuration, parse
from pixelwise.sagemaker.log_lines import CHECKPOINTS_DISABLED, Line, Say, configuration_lines, gpus_line
from pixelwise.sagemaker.root import Resources, Root, read_hyperparameters, read_resources

_REPORT = "report.pickle"
_DEFAULTS = "pixelwise/sagemaker/hyperparameters/table.py"


def train(folder: Path) -> int:
    """Run the training job that lies below `folder` (/opt/ml in a container); return the exit code.

    0 done, 1 a fault of Pixelwise, 2 of the job (hyperparameters, data, memory), 3 of the platform or a stop. Why
    is in the log and in `output/failure`.
    """
    from pixelwise.sagemaker.container.log import start_log

    root, say = Root(folder), start_log()
    say(Line("Docker entrypoint called with argument(s): train", bare=True))
    if not folder.is_dir():
        missing = SettingsError(f"{folder}: does not exist. Expected a folder with input/config and input/data.")
        say(Line(failure_of(missing).text, logging.ERROR))
        return failure_of(missing).code
    with tempfile.TemporaryDirectory(prefix="pixelwise-") as scratch:
        try:
            with _stoppable():
                return _train(root, Path(scratch), say)
        except BaseException as error:
            return report_failure(error, root.failure, say)


def work(folder: Path, scratch: Path, folders: Mapping[str, str], processes: int) -> int:
    """One of a job's several processes; `folders` are those of the channels that `train` collected and checked."""
    from pixelwise.runtime import rank_here
    from pixelwise.sagemaker.container.job import TrainingJob, train_job
    from pixelwise.sagemaker.container.log import start_log

    root, say = Root(folder), start_log()
    try:
        with _stoppable():
            job = TrainingJob(
                root=root,
                hyperparameters=parse(read_hyperparameters(root)),
                channels=read_channels(root.config / "inputdataconfig.json"),
                folders={name: Path(path) for name, path in folders.items()},
                report=pickle.loads((scratch / _REPORT).read_bytes()),
                resources=read_resources(root),
                scratch=scratch,
                processes=processes,
            )
            train_job(job, say if rank_here() == 0 else _unheard)
        return 0
    except BaseException as error:
        return report_failure(error, root.failure, say)


def serve(folder: Path) -> int:
    """Serve the model below `folder` until SIGTERM; return the exit code.

    The environment says port, largest payload and default reply. An artefact of the old image is imported first.
    """
    from pixelwise.sagemaker.container.log import start_log

    root, say = Root(folder), start_log()
    say(Line("Docker entrypoint called with argument(s): serve", bare=True))
    with tempfile.TemporaryDirectory(prefix="pixelwise-") as scratch:
        try:
            with _stoppable():
                from pixelwise.sagemaker.container.environment import limits_of, port_of, reply_of
                from pixelwise.sagemaker.container.models import located_model
                from pixelwise.serving import server

                port, limits, reply = port_of(os.environ), limits_of(os.environ), reply_of(os.environ)
                model = located_model(root.model, Path(scratch))
                server.serve(model, host="0.0.0.0", port=port, limits=limits, default_accept=reply)
            return 0
        except BaseException as error:
            failure = failure_of(error)
            say(Line(failure.text or str(error) or "Interrupted.", logging.ERROR))
            return failure.code


def _train(root: Root, scratch: Path, say: Say) -> int:
    from pixelwise.sagemaker.container.data import checked_data, label_maps, said_label_maps
    from pixelwise.sagemaker.container.job import TrainingJob, train_job
    from pixelwise.sagemaker.container.processes import num_gpus, shared_memory_line, start_processes

    root.failure.unlink(missing_ok=True)
    hyperparameters = _configured(root, say)
    resources = read_resources(root)
    channels = read_channels(root.config / "inputdataconfig.json")
    _refuse_shards(channels, resources)
    if not root.checkpoints.is_dir():
        say(Line(CHECKPOINTS_DISABLED))
    said_label_maps(label_maps(channels, root.data), say)
    gpus = num_gpus()
    say(gpus_line(gpus * len(resources.hosts)))
    shared_memory = shared_memory_line(gpus)
    if shared_memory is not None:
        say(shared_memory)
    folders = collect(channels, root.data, spool=scratch / "channels", say=say)
    report = checked_data(root.data, folders, hyperparameters, say=say)
    each_host = max(1, gpus)
    processes = each_host * len(resources.hosts)
    if processes > 1:
        # The files are looked at once on each host; the folder is this process's own, and gone after the job.
        (scratch / _REPORT).write_bytes(pickle.dumps(report))
        paths = json.dumps({name: str(path) for name, path in folders.items()})
        arguments = ["work", "--root", str(root.folder), "--scratch", str(scratch)]
        arguments += ["--folders", paths, "--processes", str(processes)]
        return start_processes(arguments, each_host=each_host, resources=resources)
    job = TrainingJob(
        root=root,
        hyperparameters=hyperparameters,
        channels=channels,
        folders=folders,
        report=report,
        resources=resources,
        scratch=scratch,
    )
    train_job(job, say)
    return 0


def _configured(root: Root, say: Say) -> Hyperparameters:
    given = read_hyperparameters(root)
    path = root.config / "hyperparameters.json"
    defaults = default_configuration()
    for line in configuration_lines(defaults, _DEFAULTS, given, str(path), {})[:2]:
        say(line)
    hyperparameters = parse(given)
    say(configuration_lines(defaults, _DEFAULTS, given, str(path), hyperparameters.to_texts())[2])
    for note in hyperparameters.notes:
        say(Line(note))
    for warning in hyperparameters.warnings:
        say(Line(warning, logging.WARNING))
    return hyperparameters


def _refuse_shards(channels: Mapping[str, Channel], resources: Resources) -> None:
    """Several hosts must see the same images, of which each batch takes every host's share."""
    if len(resources.hosts) == 1:
        return
    for name, channel in channels.items():
        if channel.is_sharded:
            raise SettingsError(
                f"Channel {name!r} is ShardedByS3Key, so that the {len(resources.hosts)} hosts would see different "
                "images. Give it as FullyReplicated."
            )


def _unheard(_line: Line) -> None:
    """What the first process says, the others need not repeat."""


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the block with Interrupted: as process 1 of a container, nothing else would end this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted("Stopped by SIGTERM.")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
