"""The command line is frozen: adding or renaming a flag must be meant, and shows here."""

import re

import pytest

from pixelwise.cli import parser, verbs
from pixelwise.settings import FIELDS, GROUPS, allowed

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
    "check": CHANNEL_FLAGS
    | NETWORK_FLAGS
    | {
        "--num-classes",
        "--classes",
        "--json",
        "--output",
        "--fix",
        "--show-bands",
        "--split-by",
        "--bands",
        "--value-range",
    },
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
    "describe": NETWORK_FLAGS | {"--input-scale", "--num-classes", "--aux-loss-weight", "--bands", "--json"},
    "evaluate": CHANNEL_FLAGS
    | MACHINE_FLAGS
    | {"--split", "--split-by", "--output", "--classes", "--tile", "--tta", "--json", "--show-bands"},
    "compare": {"--json"},
    "serve": MACHINE_FLAGS
    | {
        "--host",
        "--port",
        "--max-bytes",
        "--max-pixels",
        "--max-requests",
        "--max-batch",
        "--timeout",
        "--tile",
        "--tta",
    },
    "report": {"--figures", "--json"},
    "export": {"--output", "--size", "--json"},
    "score": {"--output", "--num-classes", "--classes", "--json"},
    "predict": MACHINE_FLAGS
    | {
        "--output",
        "--overlay",
        "--as-source",
        "--palette",
        "--probabilities",
        "--tile",
        "--tta",
        "--json",
        "--show-bands",
    },
    "plan": CHANNEL_FLAGS
    | {"--config", "--classes", "--split-by", "--after", "--device", "--price", "--instance", "--json"},
    "train": CHANNEL_FLAGS
    | {
        "--output",
        "--config",
        "--resume",
        "--start-from",
        "--plan",
        "--classes",
        "--split-by",
        "--device",
        "--quiet",
        "--json",
        "--show-bands",
        "--price",
        "--instance",
    },
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
        "plan": ["d"],
        "train": ["d", "--output", "o"],
    }[verb]
    return set(parser.parse([verb, *arguments]).flags)


@pytest.mark.parametrize("verb", sorted(FLAGS))
def test_a_verb_has_these_flags(verb):
    expected = FLAGS[verb] | HELP
    if verb in ("plan", "train"):
        expected |= {f"--{name.replace('_', '-')}" for name in FIELDS}
        switches = {"pretrained", "upright", "early_stopping", "sync_bn", "deterministic", "align_corners"}
        expected |= {f"--no-{name.replace('_', '-')}" for name in switches}
    assert flags_of(verb) == expected


@pytest.mark.parametrize("verb", sorted(FLAGS))
def test_every_verb_has_help_with_an_example(verb, run):
    code, out, _err = run(verb, "--help")
    assert code == 0
    assert f"Example: pixelwise {verb}" in out


def test_train_shows_every_choice_and_range_in_the_groups_of_the_settings(run):
    _code, out, _err = run("train", "--help")
    assert out.splitlines()[0] == "usage: pixelwise train [DATASET] --output RUN [flags]"
    titles = [line.removesuffix(":") for line in out.splitlines() if line.removesuffix(":") in GROUPS]
    assert titles == list(GROUPS)
    words = " ".join(out.split())
    for name, field in FIELDS.items():
        choices = field.metadata["choices"]
        shown = [f"{key} {each.meaning}" for key, each in choices.items()] if isinstance(choices, dict) else []
        assert [text for text in shown or [allowed(name)] if text not in words and text != "true, false"] == []
    last = out.partition("for SageMaker jobs:")[2].partition("Example:")[0]
    assert {flag for flag in re.findall(r"--(?!no-)[a-z0-9-]+", last) if flag in flags_of("train")} == {
        "--align-corners",
        "--base-size",
        "--early-stopping-min-epochs",
        "--early-stopping-tolerance",
        "--gamma1",
        "--gamma2",
        "--validation-crop-size",
    }


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


@pytest.mark.parametrize(
    ("typed", "near", "known"),
    [
        ("trian data --output run", "train", sorted([*FLAGS, "sagemaker"])),
        ("evalute run/model data", "evaluate", sorted([*FLAGS, "sagemaker"])),
        ("Predict run/model photos", "predict", sorted([*FLAGS, "sagemaker"])),
        ("sagemaker lauch train", "launch", ["cost", "import", "launch", "serve", "train"]),
        ("sagemaker trian --root job", "train", ["cost", "import", "launch", "serve", "train"]),
        ("sagemaker launch end-point", "endpoint", ["endpoint", "train", "transform", "tune"]),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest(run, typed, near, known):
    wrong = next(word for word in typed.split() if word not in ("sagemaker", "launch"))
    code, out, err = run(*typed.split())
    assert (code, out) == (2, "")
    assert err == f"pixelwise: Unknown command {wrong!r}. Did you mean {near!r}? Known: {', '.join(known)}.\n"


@pytest.mark.parametrize("door", [[], ["sagemaker"], ["sagemaker", "launch"]])
def test_a_command_like_no_other_is_answered_with_the_list_alone(run, door):
    code, _out, err = run(*door, "xyzzy")
    assert code == 2
    assert err.startswith("pixelwise: Unknown command 'xyzzy'. Known: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("train data --output run --epoch 3", "--epochs"),
        ("train data --ouput run", "--output"),  # the required flag is missing because of it
        ("train data --outptu=run", "--output"),
        ("train data --output run --no-pretraned", "--no-pretrained"),
        ("predict run/model photos --out masks", "--output"),
        ("sagemaker import model.tar.gz bundle --clases classes.json", "--classes"),
        ("sagemaker launch train --imageuri IMAGE", "--image-uri"),
        ("--vresion", "--version"),
    ],
)
def test_a_mistyped_flag_is_answered_with_the_nearest(run, typed, near):
    code, out, err = run(*typed.split())
    assert (code, out) == (2, "")
    assert re.match(rf"pixelwise: Unknown argument '--[\w-]+'\. Did you mean '{near}'\? Known: --", err)
    assert err.count("\n") == 1


def test_a_flag_like_no_other_is_answered_with_the_list_alone(run):
    code, _out, err = run("compare", "a", "b", "--xyzzy")
    assert (code, err) == (2, "pixelwise: Unknown argument '--xyzzy'. Known: --help, --json, -h.\n")


def test_what_stands_after_two_dashes_is_no_flag():
    assert parser.parse(["compare", "--", "--first", "--second"]).first == "--first"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (
            "predict m i --output o --precision flaot32",
            "--precision is 'flaot32', expected one of bfloat16, float32. Did you mean 'float32'?",
        ),
        ("demo --precision zzz", "--precision is 'zzz', expected one of bfloat16, float32."),
        (
            "sagemaker launch train --format skd2",
            "--format is 'skd2', expected one of boto3, sdk2, sdk3. Did you mean 'sdk2'?",
        ),
    ],
)
def test_a_wrong_choice_of_a_flag_is_answered_like_that_of_a_setting(run, typed, answer):
    assert run(*typed.split()) == (2, "", f"pixelwise: {answer}\n")
