"""container_commands.py: what the container does with the words it is started with."""

from pathlib import Path

import pytest

from pixelwise.sagemaker.container import container
from pixelwise.sagemaker.container.commands import main


@pytest.fixture
def called(monkeypatch):
    """The calls of the container's commands, each of which ends with a code of its own."""
    calls = []

    def stand_in(name, code):
        def call(*arguments):
            calls.append((name, *arguments))
            return code

        monkeypatch.setattr(container, name, call)

    for name, code in (("train", 40), ("serve", 41), ("work", 42)):
        stand_in(name, code)
    return calls


@pytest.fixture
def job(tmp_path):
    (tmp_path / "input" / "config").mkdir(parents=True)
    return tmp_path


def test_without_a_word_there_must_be_a_job(called, tmp_path, capsys):
    assert main([], root=tmp_path) == 2
    assert called == []
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m pixelwise.sagemaker")
    assert "train" in out
    assert "serve" in out
    assert "work" not in out


def test_without_a_word_a_job_is_trained(called, job):
    assert main([], root=job) == 40
    assert called == [("train", job)]


def test_without_a_word_a_model_alone_is_not_served(called, tmp_path):
    (tmp_path / "model").mkdir()
    assert main([], root=tmp_path) == 2
    assert called == []


@pytest.mark.parametrize(("word", "code"), [("train", 40), ("serve", 41)])
def test_a_word_is_obeyed_below_opt_ml_or_another_root(called, tmp_path, word, code):
    assert main([word]) == code
    assert main([word], root=tmp_path) == code
    assert main([word, "--root", str(tmp_path / "job")]) == code
    assert called == [(word, Path("/opt/ml")), (word, tmp_path), (word, tmp_path / "job")]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "more", "words"],
        ["train", "--mini_batch_size", "8", "--flag"],
        ["--before", "train"],
        ["train", "--rooted", "elsewhere"],
    ],
)
def test_words_that_a_platform_adds_are_ignored(called, job, words):
    assert main(words, root=job) == 40
    assert called == [("train", job)]


def test_a_command_that_does_not_exist_ends_with_2_and_names_those_that_do(called, job, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["tarin"], root=job)
    assert stop.value.code == 2
    assert called == []
    err = capsys.readouterr().err
    assert err.endswith("error: Unknown command 'tarin'. Did you mean 'train'? Known: serve, train.\n")


def test_help_is_no_error(called, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert not stop.value.code
    assert "Train a SageMaker job or serve its model." in capsys.readouterr().out
    assert called == []


def test_the_processes_of_a_job_are_told_what_the_first_one_found(called, tmp_path):
    words = ["work", "--root", str(tmp_path), "--scratch", str(tmp_path / "scratch"), "--processes", "4"]
    assert main([*words, "--folders", '{"train": "/data/train"}']) == 42
    assert called == [("work", tmp_path, tmp_path / "scratch", {"train": "/data/train"}, 4)]
