"""errors.py: the tree, the exit codes and the drawing of both."""

import pytest

from pixelwise import errors
from pixelwise.errors import (
    DataError,
    Interrupted,
    MissingExtra,
    ModelError,
    PixelwiseError,
    SettingsError,
    TrainingError,
)

CLASSES = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize(
    ("error", "code"),
    [(SettingsError, 2), (MissingExtra, 2), (DataError, 1), (ModelError, 1), (TrainingError, 1), (Interrupted, 3)],
)
def test_exit_codes_are_those_of_the_command_line(error: type[PixelwiseError], code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize("error", CLASSES)
def test_one_root_catches_everything(error: type[Exception]) -> None:
    assert issubclass(error, PixelwiseError)


@pytest.mark.parametrize("error", [error for error in CLASSES if error is not PixelwiseError])
def test_the_tree_at_the_top_shows_every_error_with_its_exit_code(error: type[PixelwiseError]) -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if f"─ {error.__name__} " in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"exit code {error.exit_code}")


def test_a_missing_extra_says_what_to_install() -> None:
    assert str(MissingExtra("serve", "The endpoint")) == (
        'The endpoint needs an extra: pip install "pixelwise[serve]".'
    )
