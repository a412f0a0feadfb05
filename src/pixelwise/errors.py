"""Everything Pixelwise raises on purpose.

PixelwiseError
├── SettingsError       a setting or the command line is at fault          exit code 2
│   ├── MissingExtra    an optional package is not installed               exit code 2
│   └── Unwritable      an output cannot be written                        exit code 2
├── DataError           images, masks or labels are at fault               exit code 1
├── ModelError          a bundle, a checkpoint or a weights file is at fault   exit code 1
│   └── WeightsUnavailable   published weights could not be fetched        exit code 1
├── TrainingError       training cannot go on                              exit code 1
│   └── OutOfMemory     not even one image at a time fits                  exit code 1
└── Interrupted         stopped by a signal; `--resume` continues          exit code 3

A message says which file or setting, what was found, what was expected and what to do.
"""


class PixelwiseError(Exception):
    """The root: catch this to catch everything a user can cause."""

    exit_code = 1


class SettingsError(PixelwiseError):
    """A setting or a command line argument has a name or a value that cannot be used."""

    exit_code = 2


class MissingExtra(SettingsError):
    """A feature needs a package that is installed only with an extra."""

    def __init__(self, extra: str, feature: str) -> None:
        super().__init__(f'{feature} needs an extra: pip install "pixelwise[{extra}]".')


class Unwritable(SettingsError):
    """An output cannot be written: no room, no permission, or something else of its name."""


class DataError(PixelwiseError):
    """Images, masks, folders or label files cannot be used as they are."""


class ModelError(PixelwiseError):
    """A model on disk (bundle, checkpoint, weights) cannot be used as it is."""


class WeightsUnavailable(ModelError):
    """Published weights are not on this machine and could not be fetched; `found` says which, and why not."""

    def __init__(self, found: str) -> None:
        remedy = "Give a file with --backbone-weights FILE, or start from random weights with --no-pretrained."
        super().__init__(f"{found} {remedy}")
        self.found = found


class TrainingError(PixelwiseError):
    """Training cannot go on; what was written so far is kept."""


class OutOfMemory(TrainingError):
    """The memory of the device does not suffice for the smallest pieces of a batch."""


class Interrupted(PixelwiseError):
    """A signal stopped the work after everything needed to continue was written."""

    exit_code = 3
