"""The verbs about masks and scores alone: score, compare. Neither needs PyTorch."""

from pathlib import Path

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.outputs import made_folder
from pixelwise.scoring.comparison.compare import Comparison, Counted
from pixelwise.scoring.comparison.compare import compare as compare_counts
from pixelwise.scoring.evaluation import Evaluation, read_counts, write_evaluation
from pixelwise.scoring.folders import score_folders


def score(
    truth: PathLike,
    predicted: PathLike,
    *,
    num_classes: int | None = None,
    classes: PathLike | None = None,
    output: PathLike | None = None,
) -> Evaluation:
    """Score a folder of masks from any tool against the folder of true masks; files are paired by name.

    `classes` says by "source" what values and colours mean that are no class ids; `output` is a folder for scores.json
    and images.json.

    Raises:
        DataError: masks without partner or that cannot be read, or a truth that draws a class as 255 alone on its side.
    """
    folder = None if output is None else made_folder(Path(output))
    found = score_folders(Path(truth), Path(predicted), num_classes=num_classes, classes_file=path_of(classes))
    if folder is not None:
        write_evaluation(found, folder)
    return found


def compare(first: PathLike, second: PathLike) -> Comparison:
    """Whether two evaluations of the same images differ for real; each is a folder that evaluate or score wrote.

    Raises:
        DataError: a folder holds no evaluation, or the images or the classes are not the same.
    """
    return compare_counts(_evaluated(Path(first)), _evaluated(Path(second)))


def _evaluated(folder: Path) -> Counted:
    counts, labels = read_counts(folder)
    return Counted(str(folder), counts, labels)
