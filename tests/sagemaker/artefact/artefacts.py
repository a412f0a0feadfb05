"""Artefacts as the retired image left them, with what MXNet computed from their weights."""

import json
from pathlib import Path

import numpy as np

from tests.sagemaker.artefact.gluon_reference import CLASSIFIER, NUM_CLASSES, recipe, write_list

DATA = Path(__file__).parent / "data"


def arrays_of(path):
    """{name: array} of a file of NumPy's, which is closed again: an open one is a warning whenever it is collected."""
    with np.load(path) as file:
        return dict(file)


def artefact(folder, algorithm, num_classes=NUM_CLASSES):
    """What a job on resnet-50 leaves, with the weights of the recipe; the recorded logits."""
    recorded = arrays_of(DATA / "gluon_logits.npz")
    shapes = json.loads((DATA / "gluon_parameters.json").read_text())[algorithm]
    arrays = {name: recipe(name, tuple(shape)) for name, shape in shapes.items()}
    arrays[CLASSIFIER + ".weight"] *= recorded[algorithm + "_factor"]
    arrays[CLASSIFIER + ".bias"] = recorded[algorithm + "_bias"]
    for leaf in (".weight", ".bias"):
        arrays[CLASSIFIER + leaf] = arrays[CLASSIFIER + leaf][:num_classes]
    folder.mkdir()
    write_list(folder / "model_best.params", arrays)
    given = {
        "algorithm": f'"{algorithm}"',
        "num_classes": str(num_classes),
        "crop_size": "480",
        "learning_rate": "0.001",
    }
    (folder / "hyperparams.json").write_text(json.dumps(given))
    return recorded[algorithm]
