"""How a job fails: whose fault it was, the exit code, and the file that becomes the job's FailureReason."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pixelwise.errors import Interrupted, OutOfMemory, PixelwiseError, Unwritable
from pixelwise.phrases import shortened
from pixelwise.sagemaker.log_lines import Line

ALGORITHM, CUSTOMER, PLATFORM = 1, 2, 3
"""Exit codes of the AWS container; the third also says, as everywhere in Pixelwise, that a signal came between."""

SHOWN = 1024
"""So many characters of the failure file reach the job's description."""

OUT_OF_MEMORY = (
    "Out of Memory. Please use a larger instance type or reduce batch size. For additional hyper-parameters that may "
    "have an effect on memory usage, please check the algorithm documentation."
)


_CHECK_VOLUME = "Check the volume's size (VolumeSizeInGB) and that the channels may be read."


class Failure(NamedTuple):
    """What to exit with and what to say; an empty text leaves no failure file."""

    code: int
    text: str


def failure_of(error: BaseException) -> Failure:
    """Whose fault an exception is, as a sentence for the job's FailureReason."""
    match error:
        case Interrupted() | KeyboardInterrupt():
            return Failure(PLATFORM, "")
        case _ if _is_out_of_memory(error):
            detail = f" ({error})" if str(error) else ""
            return Failure(CUSTOMER, f"Customer Error: {OUT_OF_MEMORY}{detail}")
        case Unwritable():
            return Failure(PLATFORM, f"Platform Error: {error} {_CHECK_VOLUME}")
        case PixelwiseError():
            return Failure(CUSTOMER, f"Customer Error: {error}")
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return Failure(PLATFORM, f"Platform Error: {where}{error.strerror or error}. {_CHECK_VOLUME}")
        case _:
            place = traceback.extract_tb(error.__traceback__)[-1:]
            where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
            return Failure(ALGORITHM, f"Algorithm Error: {type(error).__name__}: {error}{where}")


def report_failure(error: BaseException, path: Path, say: Callable[[Line], None]) -> int:
    """Write the failure file, say the same in the log, and return the exit code.

    A fault in our own code has its traceback in the log, where support looks; the file has the sentence alone.
    """
    failure = failure_of(error)
    if not failure.text:
        where = str(error).partition(";")[0] or "Interrupted"
        text = f"{where}; started again with the same checkpoints, the job goes on from there."
        say(Line(text, logging.WARNING))
        return failure.code
    if failure.code == ALGORITHM:
        say(Line("".join(traceback.format_exception(error)).rstrip(), logging.ERROR))
    say(Line(failure.text, logging.ERROR))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = shortened(failure.text, SHOWN, end=" ... (the log has the rest)")
        # Names of files may hold bytes that are no characters.
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as problem:
        say(Line(f"{path}: cannot be written ({problem.strerror or problem}).", logging.ERROR))
    return failure.code


def _is_out_of_memory(error: BaseException) -> bool:
    """Also PyTorch's own errors, as validation and tests of a model let them through; a job may fail before torch."""
    is_torchs = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, OutOfMemory | MemoryError) or (isinstance(error, RuntimeError) and is_torchs)
