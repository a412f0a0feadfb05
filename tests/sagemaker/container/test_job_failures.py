"""failures.py: exit codes and prefixes of the AWS container, and a failure file that says what is useful."""

import logging

import pytest
import torch

from pixelwise.errors import (
    DataError,
    Interrupted,
    MissingExtra,
    ModelError,
    OutOfMemory,
    SettingsError,
    TrainingError,
    Unwritable,
)
from pixelwise.sagemaker.container.failures import failure_of, report_failure

# Word for word as the AWS container says it.
OUT_OF_MEMORY = (
    "Out of Memory. Please use a larger instance type or reduce batch size. For additional hyper-parameters that may "
    "have an effect on memory usage, please check the algorithm documentation."
)


def raised(error):
    """`error` with a traceback, as an except clause has it."""
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.fixture
def reported(tmp_path):
    """Exit code, failure file (None where there is none) and lines of a job that ends with an error."""

    def report(error, path=None):
        path, lines = path or tmp_path / "output" / "failure", []
        code = report_failure(error, path, lines.append)
        return code, path.read_text(encoding="utf-8") if path.is_file() else None, lines

    return report


@pytest.mark.parametrize("kind", [SettingsError, DataError, ModelError, TrainingError])
def test_what_a_user_can_cause_is_a_customer_error_with_code_2(reported, kind):
    code, text, lines = reported(kind("train/a.png: is empty. Replace the file."))
    assert (code, text) == (2, "Customer Error: train/a.png: is empty. Replace the file.")
    assert lines == [(text, logging.ERROR, False)]


def test_a_missing_extra_is_a_customer_error(reported):
    assert reported(MissingExtra("serve", "The endpoint"))[:2] == (
        2,
        'Customer Error: The endpoint needs an extra: pip install "pixelwise[serve]".',
    )


def test_a_fault_of_our_own_is_an_algorithm_error_with_code_1_and_its_traceback_in_the_log(reported):
    code, text, lines = reported(raised(ZeroDivisionError("division by zero")))
    assert code == 1
    assert text.startswith("Algorithm Error: ZeroDivisionError: division by zero at test_job_failures.py:")
    traceback, sentence = lines
    assert traceback.text.startswith("Traceback (most recent call last):")
    assert traceback.text.endswith("ZeroDivisionError: division by zero")
    assert sentence.text == text
    assert {line.level for line in lines} == {logging.ERROR}


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(7), AssertionError(), RuntimeError("shape")])
def test_what_nobody_foresaw_is_an_algorithm_error_even_without_a_traceback(error):
    failure = failure_of(error)
    assert failure.code == 1
    assert failure.text == f"Algorithm Error: {type(error).__name__}: {error}"


def test_a_fault_of_the_machine_is_a_platform_error_with_code_3_that_names_the_file(reported):
    code, text, lines = reported(raised(OSError(28, "No space left on device", "/opt/ml/model/model.json")))
    assert code == 3
    assert text.startswith("Platform Error: /opt/ml/model/model.json: No space left on device. Check the volume's size")
    assert failure_of(Unwritable("model.json: cannot be written (No space left on device).")).code == 3
    assert [line.text for line in lines] == [text]


def test_a_fault_of_the_machine_may_have_no_file_and_no_number():
    assert failure_of(PermissionError(13, "Permission denied")).text.startswith("Platform Error: Permission denied. ")
    assert failure_of(OSError("broken")).text.startswith("Platform Error: broken. ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 3 GiB"),
        OutOfMemory("Out of memory with a single image per piece."),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
)
def test_out_of_memory_is_a_customer_error_in_the_containers_words(reported, error):
    code, text, lines = reported(raised(error))
    assert code == 2
    assert text == f"Customer Error: {OUT_OF_MEMORY}" + (f" ({error})" if str(error) else "")
    assert [line.text for line in lines] == [text]


def test_the_cpus_memory_may_be_used_up_too():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    failure = failure_of(caught.value)
    assert failure.code == 2
    assert failure.text.startswith(f"Customer Error: {OUT_OF_MEMORY} (")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Interrupted("Stopped by SIGTERM."), "Stopped by SIGTERM."),
        (Interrupted("Stopped; the checkpoint is written."), "Stopped"),
        (Interrupted(), "Interrupted"),
        (KeyboardInterrupt(), "Interrupted"),
    ],
)
def test_a_stop_ends_with_code_3_and_leaves_no_failure_file(reported, tmp_path, error, said):
    code, text, (line,) = reported(error)
    assert (code, text) == (3, None)
    assert not (tmp_path / "output").exists()
    assert line.level == logging.WARNING
    assert line.text.startswith(said)
    assert "started again with the same checkpoints" in line.text


@pytest.mark.parametrize("length", [1008, 1009, 5000])
def test_the_failure_file_keeps_its_beginning_within_1024_characters(reported, length):
    begin = "train_annotation/0001.png: has the values 7 (3 px)."
    message = begin + "x" * (length - len(begin))
    whole = f"Customer Error: {message}"  # 16 characters before the message
    _, text, (line,) = reported(DataError(message))
    assert len(text) == min(1024, len(whole))
    assert text.startswith(f"Customer Error: {begin}")
    assert (text == whole) == (length == 1008)
    assert text.endswith("(the log has the rest)") == (length > 1008)
    assert line.text == whole


def test_a_message_beyond_ascii_is_written_as_utf_8(reported):
    assert reported(DataError("tränen/日本.png: is empty."))[1] == "Customer Error: tränen/日本.png: is empty."


def test_a_file_name_of_bytes_that_are_no_characters_does_no_harm(reported):
    code, text, _ = reported(DataError("train/\udcff.png: is empty."))
    assert (code, text) == (2, "Customer Error: train/?.png: is empty.")


def test_an_earlier_failure_is_replaced(reported):
    reported(DataError("x" * 500))
    assert reported(DataError("short"))[1] == "Customer Error: short"


def test_a_folder_that_cannot_be_written_changes_no_exit_code(reported, tmp_path):
    (tmp_path / "output").write_text("a file in the way")
    path = tmp_path / "output" / "failure"
    code, text, lines = reported(DataError("broken"), path)
    assert (code, text) == (2, None)
    assert lines[0].text == "Customer Error: broken"
    assert lines[1].text.startswith(f"{path}: cannot be written (")


def test_a_folder_in_the_files_place_changes_no_exit_code(reported, tmp_path):
    code, text, lines = reported(raised(KeyError("epochs")), tmp_path)
    assert (code, text) == (1, None)
    assert lines[-1].text == f"{tmp_path}: cannot be written (Is a directory)."
