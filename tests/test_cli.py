"""The command line is frozen: adding or renaming a flag must be meant, and shows here."""

import pytest

from pixelwise.cli import parser, verbs
from pixelwise.settings import FIELDS

CHANNEL_FLAGS = {
    "--train",
    "--train-annotation",
    "--validation",
    "--validation-annotation",
    "--test",
    "--test-annotation",
}
MACHINE_FLAGS = {"--device", "--precision"}
NETWORK_FLAGS = {"--config", "--algorithm", "--backbone", "--output-stride", "--crop-size"}
HELP = {"-h", "--help"}

FLAGS = {
    "demo": {"--output"} | MACHINE_FLAGS,
    "check": CHANNEL_FLAGS | NETWORK_FLAGS | {"--num-classes", "--classes", "--json", "--output", "--fix"},
    "convert": {
        "--classes",
        "--num-classes",
        "--images",
        "--masks",
        "--attribute",
        "--validation-share",
        "--seed",
        "--json",
    },
    "describe": NETWORK_FLAGS | {"--num-classes", "--aux-loss-weight", "--json"},
    "evaluate": CHANNEL_FLAGS | MACHINE_FLAGS | {"--split", "--output", "--tile", "--json"},
    "compare": {"--json"},
    "serve": MACHINE_FLAGS
    | {"--host", "--port", "--max-bytes", "--max-pixels", "--max-requests", "--max-batch", "--timeout", "--tile"},
    "report": {"--figures", "--json"},
    "export": {"--output", "--size", "--json"},
    "score": {"--output", "--num-classes", "--classes", "--json"},
    "predict": MACHINE_FLAGS | {"--output", "--overlay", "--as-source", "--probabilities", "--tile", "--json"},
    "train": CHANNEL_FLAGS
    | {"--output", "--config", "--resume", "--start-from", "--classes", "--device", "--quiet", "--json"},
}


def flags_of(verb):
    arguments = {
        "demo": [],
        "check": ["d"],
        "convert": ["voc", "s", "d"],
        "describe": [],
        "evaluate": ["m", "d"],
        "score": ["t", "p"],
        "compare": ["a", "b"],
        "serve": ["m"],
        "report": ["r"],
        "export": ["m", "--output", "o"],
        "predict": ["m", "i", "--output", "o"],
        "train": ["d", "--output", "o"],
    }[verb]
    return set(parser.parse([verb, *arguments]).flags)


@pytest.mark.parametrize("verb", sorted(FLAGS))
def test_a_verb_has_these_flags(verb):
    expected = FLAGS[verb] | HELP
    if verb == "train":
        expected |= {f"--{name.replace('_', '-')}" for name in FIELDS}
        switches = {"pretrained", "early_stopping", "sync_bn", "deterministic", "align_corners"}
        expected |= {f"--no-{name.replace('_', '-')}" for name in switches}
    assert flags_of(verb) == expected


@pytest.mark.parametrize("verb", sorted(FLAGS))
def test_every_verb_has_help_with_an_example(verb, run):
    code, out, _err = run(verb, "--help")
    assert code == 0
    assert f"Example: pixelwise {verb}" in out


def test_every_setting_reaches_settings_from_its_flag():
    arguments = ["d", "--output", "o", "--epochs", "3", "--no-pretrained", "--class-weights", "1,2"]
    options = parser.parse(["train", *arguments])
    assert verbs._settings(options) == {"epochs": "3", "pretrained": False, "class_weights": "1,2"}


def test_an_endpoint_listens_at_8080_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "9000")
    assert parser.parse(["serve", "m"]).port == 8080


def test_the_version_is_that_of_the_package(run):
    code, out, _err = run("--version")
    assert code == 0
    assert out.startswith("pixelwise 0.")


def test_an_interrupt_exits_with_3(run, monkeypatch):
    def interrupted(_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(parser, "check", interrupted)
    interrupted.__name__ = "check"
    code, _out, err = run("check", "d")
    assert code == 3
    assert "interrupted" in err


def test_a_full_disk_is_one_line(run, monkeypatch):
    def full(_options):
        raise OSError(28, "No space left on device", "run/log.txt")

    full.__name__ = "check"
    monkeypatch.setattr(parser, "check", full)
    code, _out, err = run("check", "d")
    assert code == 1
    assert (
        err.strip()
        == "pixelwise: run/log.txt: No space left on device. Check the path, its permissions and the free space."
    )


def test_flags_know_no_abbreviations():
    with pytest.raises(Exception, match="--output"):
        parser.parse(["train", "d", "--out", "o"])
