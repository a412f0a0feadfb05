"""A small dataset of procedurally drawn street scenes, for demos and tests."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.synthetic.canvas import BACKGROUND, BUILDING, ROAD, SKY, VEGETATION
from pixelwise.data.synthetic.scene import draw_scene
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

LABELS = LabelTable.named(
    ["background", "road", "building", "vegetation", "sky"],
    {
        BACKGROUND: (60, 60, 60), ROAD: (128, 64, 128), BUILDING: (213, 94, 0),
        VEGETATION: (0, 158, 115), SKY: (86, 180, 233),
    },
)  # fmt: skip

_JPEG_QUALITY = 90
_SMALLEST_SIDE = 32


def draw_dataset(
    root: Path,
    *,
    num_train: int = 160,
    num_validation: int = 40,
    num_test: int = 0,
    size: tuple[int, int] = (256, 192),
    seed: int = 0,
) -> None:
    """Write street scenes with their masks below `root`, in the layout of a dataset folder.

    Every scene is a pure function of seed, split and index, so that more images leave the first ones as
    they are. `size` is (width, height) in pixels.

    Raises:
        DataError: `root` exists and is not empty, or cannot be written, or `size` is too small.
    """
    if min(size) < _SMALLEST_SIDE:
        raise DataError(f"size is {size[0]} x {size[1]}, expected at least {_SMALLEST_SIDE} px a side.")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root}: exists and is not an empty folder. Give a new folder for the drawn dataset.")
    # Drawn beside and moved in one piece: an interrupted run leaves no half dataset under the name.
    unfinished = root.with_name(f".{root.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for split, (name, count) in enumerate(
            {"train": num_train, "validation": num_validation, "test": num_test}.items()
        ):
            if count:
                _draw_split(unfinished, name, [(seed, split, i) for i in range(count)], size)
        content = json.dumps(LABELS.to_json(), indent=1)
        (unfinished / "classes.json").write_text(content + "\n", encoding="utf-8")
        if root.exists():
            root.rmdir()
        unfinished.replace(root)
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror or error}). Give another folder.") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def draw_sample(key: tuple[int, ...], size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """An RGB scene and its mask, mode "L" of class ids, as pure functions of `key`."""
    image, mask = draw_scene(np.random.default_rng(key), size)
    return image, mask.convert("L")


def _draw_split(root: Path, name: str, keys: list[tuple[int, ...]], size: tuple[int, int]) -> None:
    images, masks = root / name, root / f"{name}_annotation"
    images.mkdir()
    masks.mkdir()
    for i, key in enumerate(keys):
        image, mask = draw_sample(key, size)
        image.save(images / f"scene_{i:04}.jpg", quality=_JPEG_QUALITY)
        mask.save(masks / f"scene_{i:04}.png")
