"""The image keeps SageMaker's rules and is built from what the repository has; read from the Dockerfile alone."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pixelwise.models.backbones import ALIASES

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
TEXT = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
README = (DOCKER / "README.md").read_text(encoding="utf-8")
WEIGHTS = "/usr/share/pixelwise/weights"


def instructions(text):
    """(NAME, arguments) of each, on one line and without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name.upper(), rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


ALL = instructions(TEXT)
LAST_STAGE = ALL[max(i for i, (name, _) in enumerate(ALL) if name == "FROM") :]


def arguments(name, stage=LAST_STAGE):
    return [rest for each, rest in stage if each == name]


def environment():
    return dict(pair.split("=", 1) for line in arguments("ENV") for pair in line.split())


def copies():
    """(source, target) of what is copied from the repository, not from another stage."""
    found = []
    for line in arguments("COPY", ALL):
        words = line.split()
        if not any(word.startswith("--from=") for word in words):
            *sources, target = [word for word in words if not word.startswith("--")]
            found += [(source, target) for source in sources]
    return found


def test_the_entry_point_is_in_exec_form_and_takes_train_and_serve_as_its_argument():
    assert [json.loads(line) for line in arguments("ENTRYPOINT", ALL)] == [["python", "-m", "pixelwise.sagemaker"]]
    assert (ROOT / "src" / "pixelwise" / "sagemaker" / "__main__.py").is_file()


def test_nothing_stands_between_sagemaker_and_the_entry_point():
    # local mode starts without an argument, so CMD would be one; tini takes `train` and `serve` for its own
    assert not {"CMD", "USER", "SHELL", "STOPSIGNAL", "HEALTHCHECK", "VOLUME"} & {name for name, _ in ALL}
    assert "tini" not in " ".join(rest for _, rest in ALL)


def test_nothing_of_the_image_lies_where_sagemaker_mounts():
    assert [rest for _, rest in ALL if "/opt" in rest] == []


def test_any_user_can_run_it():
    home = environment()
    assert home["PYTHONDONTWRITEBYTECODE"] == "1"
    folders = ("HOME", "XDG_CACHE_HOME", "HF_HOME", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
    assert [name for name in folders if Path("/tmp") not in (Path(home[name]), *Path(home[name]).parents)] == []


def test_lines_of_the_log_are_sent_at_once():
    assert environment()["PYTHONUNBUFFERED"] == "1"


def test_a_gpu_is_shown_to_the_image_and_the_port_may_be_chosen():
    assert environment()["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert environment()["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert arguments("LABEL") == ["com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true"]
    assert arguments("EXPOSE") == ["8080"]


def test_everything_that_is_copied_exists_and_reaches_the_build():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    sources = [source.rstrip("/") for source, _ in copies() if source != "./"]
    assert {"src", "pyproject.toml", "constraints.txt", "docker/weights"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if is_ignored(source, patterns)] == []
    assert is_ignored("data", patterns)
    assert is_ignored(".git", patterns)


def is_ignored(path, patterns):
    """As Docker has it: the last pattern that matches decides."""
    verdicts = [not pattern.startswith("!") for pattern in patterns if fnmatch(path, pattern.lstrip("!"))]
    return bool(verdicts) and verdicts[-1]


def test_the_build_has_every_file_that_the_package_is_made_of():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sources = {source for source, _ in copies()}
    assert {project["readme"], *project["license-files"]} <= sources


def test_versions_are_exact_and_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installs = [line for run in arguments("RUN", ALL) for line in re.findall(r"pip install [^;&]*", run)]
    assert len(installs) == 4
    assert [line for line in installs if "constraints.txt" not in line or "--no-cache-dir" not in line] == []
    extras = {extra for line in installs for group in re.findall(r"\[([\w,]+)\]", line) for extra in group.split(",")}
    assert "serve" in extras
    assert extras <= set(project["optional-dependencies"])


def test_there_is_a_variant_for_cuda_and_one_for_the_cpu():
    given = dict(line.partition("=")[::2] for line in arguments("ARG", ALL))
    assert given["VARIANT"] == "cuda"
    assert given["TORCH_INDEX_URL"] == ""
    version = re.fullmatch(r"python:3\.(\d+)-slim", given["BASE"])
    assert version
    assert int(version[1]) >= 11
    assert [line.split(" AS ")[0] for line in arguments("FROM", ALL)] == ["${BASE}", "${BASE}"]


def test_the_weights_are_where_the_code_looks_for_them():
    assert ("docker/weights/", f"{WEIGHTS}/") in copies()
    assert environment()["PIXELWISE_WEIGHTS"] == WEIGHTS
    readers = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"\bPIXELWISE_WEIGHTS\b", path.read_text("utf-8"))
    ]
    assert readers


@pytest.mark.parametrize("model_name", ALIASES.values())
def test_the_page_and_the_folder_name_the_weights_of_both_trunks(model_name):
    architecture, tag = model_name.split(".")
    assert f'"{architecture}"' in README
    assert f".{tag}" in README
    assert f"{architecture}.safetensors" in (DOCKER / "weights" / ".gitkeep").read_text(encoding="utf-8")


def test_no_address_of_a_registry_or_an_index_is_written_down():
    text = "\n".join([TEXT, README, (ROOT / ".dockerignore").read_text(encoding="utf-8")])
    hosts = re.findall(r"\b[\w-]+(?:\.[\w-]+)*\.(?:io|com|org|net|dev|ai|cloud)\b(?!\.sagemaker)", text)
    assert "://" not in text
    assert hosts == []


def test_commands_of_the_page_name_arguments_that_the_dockerfile_has():
    asked = re.findall(r"--build-arg (\w+)=", README)
    assert asked
    assert set(asked) <= {line.partition("=")[0] for line in arguments("ARG", ALL)}
    assert "docker build -f docker/Dockerfile" in README
