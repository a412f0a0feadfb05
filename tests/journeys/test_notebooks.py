"""The notebooks of examples/ run from the first cell to the last, on little data, and say what they promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", exc_type=ImportError)
pytest.importorskip("nbclient", exc_type=ImportError)
pytest.importorskip("ipykernel", exc_type=ImportError)
pytest.importorskip("matplotlib", exc_type=ImportError)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))

# What each notebook must have said, by the cell that says it.
SAID = {
    "semantic_segmentation_from_masks_to_metrics": {
        "draw": r"mask L \(128, 96\) with the values \[0, 1, 2, 3, 4\]",
        "mistake": r"sound: False\s+mask-colors: ",
        "balance-said": r"imbalance ratio\* is .*\*\*\d+\.\d\*\*",
        "settings": r"`learning_rate` \| 0\.002 \| above 0 to 10 \|",
        "train": r"validation mIoU of \*\*0\.\d{3}\*\*",
        "curves-said": r"The verdict on this run: \*\*[a-z ]+\*\*",
        "predict": r"class ids +\(96, 128\) uint8",
        "metrics-said": r"mIoU, is 0\.\d{3}\*\*",
        "misleads": r"exactly the share of (\w+) in the validation masks",
        "confusion-said": r"The commonest mistake: \*\*\w+\*\* taken for",
    },
    "deeplabv3plus_and_human_parsing": {
        "pairs": r"24 train, 8 validation images; 20 classes\.\s+sound: True",
        "meaning": r"in 24 of 24 masks, and the hair is higher in \*\*24\*\*",
        "sides": r"left-arm ↔ right-arm; left-leg ↔ right-leg; left-shoe ↔ right-shoe",
        "encoder-said": r"\| 6 \| 193 px \|",  # (3 - 1) x 6 x 16 + 1
        "shapes": r"\*\*20 x 24 x 24\*\* for an image of 96 x 96",  # 20 classes at a stride of 4
        "entropy": r"ln 20 = 3\.00",
        "training": r"plain +best validation mIoU 0\.\d{3}.*\s+calmer +best validation mIoU 0\.\d{3}",
        "scores-said": r"mIoU says \*\*0\.\d{3}\*\*",
        "logits": r"image +\(1, 3, 128, 96\)\s+logits \(20, 128, 96\)",
        "logits-argmax": r"agrees with `predict` on (100\.0|99\.9)%",
        "errors-said": r"[\d.]+% of all pixels are wrong",
    },
}


def test_every_notebook_is_tried():
    assert set(NAMES) == set(SAID)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_outputs_and_with_lasting_cell_names(name):
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id) for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_says_what_it_promises(name, tmp_path):
    for file in (EXAMPLES / f"{name}.ipynb", *EXAMPLES.glob("*.py")):
        shutil.copy(file, tmp_path)
    _execute(tmp_path / f"{name}.ipynb")
    notebook = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4)
    code = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    for cell, pattern in SAID[name].items():
        said = "\n".join(map(_text, code[cell]))
        assert re.search(pattern, said, re.DOTALL), f"{cell} said: {said}"
    pictures = [out for outputs in code.values() for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 6


def _execute(notebook):
    """Run all cells in place, with this Python; apart from the test, for its event loop leaves sockets open."""
    folder = notebook.parent
    (folder / "files").mkdir()
    small = {"PIXELWISE_EXAMPLE": "small", "OMP_NUM_THREADS": "1"}
    places = {"TMPDIR": str(folder / "files"), "IPYTHONDIR": str(folder / "ipython")}
    command = "from nbclient.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, notebook.name, "--inplace", "--timeout=300"],
        cwd=folder,
        env=os.environ | small | places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _text(output):
    """What a cell printed or showed as text."""
    return output.get("text", "") or output.get("data", {}).get("text/markdown", "")
