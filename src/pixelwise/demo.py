"""The demo: the whole trip, from drawn street scenes to masks, with the same verbs that real data take."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pixelwise
from pixelwise.data.synthetic.dataset import draw_dataset
from pixelwise.errors import SettingsError
from pixelwise.inference.render import error_map, mask_image, panel, save_png
from pixelwise.labels import LabelTable

SIZE = (256, 192)
# Small scenes of one kind and little time: small crops and mild augmentation learn faster than the defaults.
SETTINGS: dict[str, Any] = {
    "pretrained": False,
    "budget": "100s",
    "crop_size": 128,
    "scale_min": 0.75,
    "scale_max": 1.25,
    "color_jitter": 0.2,
    "learning_rate": 0.003,
}
PICTURES = 4


def demo(output: str, *, device: str | None = None, precision: str | None = None) -> Path:
    """Draw a dataset in `output`, check it, train, evaluate, predict, and show the result in one picture.

    Raises:
        SettingsError: `output` holds something already.
    """
    started = time.monotonic()
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder}: exists and is not an empty folder. Give a new one with --output.")
    data, run, masks = folder / "dataset", folder / "run", folder / "masks"

    _say("1  Drawing street scenes", f"{data}")
    draw_dataset(data, num_train=300, num_validation=40, num_test=20, size=SIZE, seed=0)

    _say("2  Checking every file", f"pixelwise check {data}")
    print(pixelwise.check(data).text())

    flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in SETTINGS.items() if name != "pretrained")
    _say("3  Training", f"pixelwise train {data} --output {run} --no-pretrained {flags}")
    pixelwise.train(data, output=run, device=device, precision=precision, **SETTINGS)

    _say(
        "4  Evaluating on images it has never seen",
        f"pixelwise evaluate {run} {data} --split test --output {folder}",
    )
    found = pixelwise.evaluate(run, data, split="test", output=folder, device=device, precision=precision)
    print(found.table())

    _say("5  Predicting", f"pixelwise predict {run} {data / 'test'} --output {masks}")
    print(pixelwise.predict(run, data / "test", output=masks, device=device, precision=precision).text())

    picture = folder / "demo.png"
    save_png(picture, _picture(data, masks))
    minutes = (time.monotonic() - started) / 60
    print(
        f"\nDone in {minutes:.1f} minutes: mIoU {found.scores.mean_iou:.3f} on the test scenes. Look at {picture}\n"
        f"and at the reports: {run / 'report' / 'index.html'}, {folder / 'report' / 'index.html'}.\n"
        "These scenes are drawn, all by one hand: they show the trip, not what to expect on photographs."
    )
    return picture


def _say(title: str, command: str) -> None:
    print(f"\n{title}\n   {command}", flush=True)


def _picture(data: Path, masks: Path) -> Image.Image:
    """Image, truth, prediction and errors of a few test scenes, with the legend."""
    labels = LabelTable.read(data / "classes.json")
    rows = []
    for mask in sorted(masks.glob("*.png"))[:PICTURES]:
        truth = np.array(Image.open(data / "test_annotation" / mask.name))
        predicted = np.array(Image.open(mask))
        with Image.open(data / "test" / f"{mask.stem}.jpg") as image:
            photo = image.convert("RGB")
        rows.append([photo, mask_image(truth, labels), mask_image(predicted, labels), error_map(truth, predicted)])
    return panel(["image", "truth", "prediction", "right / wrong"], rows, labels=labels)
