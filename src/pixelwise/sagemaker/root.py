"""Where things lie in a SageMaker container (/opt/ml), below any root folder, and which machine this one is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.errors import SettingsError

CONTAINER_ROOT = Path("/opt/ml")


@dataclass(frozen=True)
class Root:
    """The folders and files that the platform and an algorithm agree on.

    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
    """

    folder: Path

    @property
    def config(self) -> Path:
        """What the platform says: hyperparameters.json, inputdataconfig.json, resourceconfig.json."""
        return self.folder / "input" / "config"

    @property
    def data(self) -> Path:
        """A folder, or the pipes, of every channel."""
        return self.folder / "input" / "data"

    @property
    def model(self) -> Path:
        """Becomes model.tar.gz after training; is the unpacked model when serving."""
        return self.folder / "model"

    @property
    def extras(self) -> Path:
        """Becomes output.tar.gz."""
        return self.folder / "output" / "data"

    @property
    def failure(self) -> Path:
        """Its first 1024 characters become the job's FailureReason."""
        return self.folder / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        """Kept in step with S3 when the job asks for checkpoints; the folder exists only then."""
        return self.folder / "checkpoints"


@dataclass(frozen=True)
class Resources:
    """The machines of a job; `host` is this one's name."""

    host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    network_interface: str | None = None

    @property
    def position(self) -> int:
        """Which of the hosts this one is, from 0 on."""
        return self.hosts.index(self.host)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of the platform; empty where there is no file, as when somebody starts a job by hand.

    Raises:
        SettingsError: the file is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as JSON ({error}). Expected an object.") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds {type(content).__name__}, expected an object.")
    return content


def read_hyperparameters(root: Root) -> dict[str, str]:
    """Names and texts of hyperparameters.json.

    Raises:
        SettingsError: the file is no JSON object, or a value is an object and no text.
    """
    path = root.config / "hyperparameters.json"
    content = read_json(path)
    for name, value in content.items():
        if isinstance(value, dict):
            raise SettingsError(f'{path}: {name!r} is an object, expected a text such as "10". Give texts only.')
    # SDKs send texts; files that people write by hand also hold 10 and true.
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in content.items()}


def read_resources(root: Root) -> Resources:
    """The machines in resourceconfig.json; one machine where it is missing.

    Raises:
        SettingsError: the file is no such JSON.
    """
    path = root.config / "resourceconfig.json"
    content = read_json(path)
    host = str(content.get("current_host", "algo-1"))
    hosts = content.get("hosts", [host])
    if not isinstance(hosts, list) or host not in hosts:
        raise SettingsError(f"{path}: hosts is {hosts!r} and current_host {host!r}, expected a list that contains it.")
    interface = content.get("network_interface_name")
    return Resources(host, tuple(map(str, hosts)), None if interface is None else str(interface))
