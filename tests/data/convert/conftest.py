"""Sources made of a few files, and what a conversion of them must come to."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset


@pytest.fixture
def photo(encoded):
    """The bytes of a JPEG of 6 x 4 pixels that differs by its number."""

    def draw(number: int, size=(6, 4)) -> bytes:
        pixels = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        return encoded(pixels, "JPEG")

    return draw


@pytest.fixture
def source(tmp_path):
    """A folder of the files given as {name: bytes}."""

    def write(files) -> Path:
        for name, content in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "source"

    return write


@pytest.fixture
def converted(tmp_path):
    """Convert and require that `check` finds no fault: (report, {"split/name": class ids})."""

    def run(form: str, source: Path, **options):
        before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
        report = convert(form, source, tmp_path / "dataset", options=Options(**options))
        assert check_dataset(open_dataset(tmp_path / "dataset")).faults == ()
        assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before
        masks = {}
        for path in sorted((tmp_path / "dataset").glob("*_annotation/**/*.png")):
            split, name = path.relative_to(tmp_path / "dataset").as_posix().split("_annotation/")
            masks[f"{split}/{name[:-4]}"] = np.array(Image.open(path))
        return report, masks

    return run
