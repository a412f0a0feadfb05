"""What a conversion says of the objects that it was given: how many reached a mask, and why others did not."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.convert.conversion import Conversion, Drawn, Format, Item, Options
from pixelwise.data.convert.menu import FORMATS
from pixelwise.data.convert.objects import OUTSIDE, Objects
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError, Interrupted
from pixelwise.labels import LabelTable

HALVES = np.repeat([0, 1], 6)[None].repeat(10, axis=0).astype(np.uint8)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Convert ten images of 12 x 10 pixels by a reader of the test: run("name of the output", change=...)."""
    (tmp_path / "source").mkdir()
    for i in range(10):
        pixels = np.random.default_rng(i).integers(0, 255, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "source" / f"{i}.jpg")

    def read(source, options, *, change):
        items = [Item(Path(name).stem, name, None, partial(change, name, HALVES)) for name in source.names]
        return Conversion(LabelTable.named(["ground", "square"]), items)

    def call(output: str, *, change=lambda name, class_ids: class_ids, progress=None):
        monkeypatch.setitem(FORMATS, "fake", Format(partial(read, change=change), "for tests"))
        return convert("fake", tmp_path / "source", tmp_path / output, options=Options(), progress=progress)

    return call


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def drawn(name: str, class_ids: np.ndarray) -> Drawn:
    """Two objects an image; of those of 3.jpg and 5.jpg one lies outside, and nobody drew on 7.jpg."""
    objects = Objects()
    if name == "7.jpg":
        return Drawn(np.zeros((10, 12), dtype=np.uint8), objects)
    objects.add(f"the left of {name}")
    objects.add(f"the right of {name}", OUTSIDE if name in ("3.jpg", "5.jpg") else None)
    return Drawn(class_ids, objects)


def test_objects_that_no_mask_has_are_counted_and_named(run):
    report = run("out", change=drawn)
    assert "objects: 18 given, 16 in masks." in report.text().splitlines()
    assert (report.to_json()["objects"]["given"], report.to_json()["objects"]["in_masks"]) == (18, 16)
    assert "2 of 18 objects lie outside of their images; the first is the right of 3.jpg." in report.notes
    assert "1 image has no annotation: its mask is all background." in " ".join(report.notes)


def test_masks_without_objects_count_none(run):
    report = run("out")
    assert report.to_json()["objects"] is None
    assert "objects:" not in report.text()


def test_counts_of_objects_survive_an_interruption(run, tmp_path):
    def stop(done, _total):
        if done == 5:  # 3.jpg is done, 5.jpg and 7.jpg are not
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="5 of 10 images done"):
        run("parts", change=drawn, progress=stop)
    report = run("parts", change=drawn)
    assert "2 of 18 objects lie outside of their images; the first is the right of 3.jpg." in report.notes
    run("whole", change=drawn)
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_a_source_whose_objects_are_all_lost_is_refused_and_nothing_is_written(run, tmp_path):
    def lost(name, class_ids):
        objects = Objects()
        objects.add(f"the square of {name}", OUTSIDE)
        return Drawn(np.zeros_like(class_ids), objects)

    with pytest.raises(DataError, match=r"source: none of its 10 objects reaches a mask: 10 lie outside .* of 0\.jpg"):
        run("out", change=lost)
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="none of its 10 images has an annotation"):
        run("out", change=lambda name, class_ids: Drawn(np.zeros_like(class_ids), Objects()))
    assert not (tmp_path / "out").exists()


def test_masks_that_are_ignored_throughout_are_refused(run, tmp_path):
    with pytest.raises(DataError, match="none of its 10 masks has a pixel of a class: all are ignored"):
        run("out", change=lambda name, class_ids: np.full_like(class_ids, 255))
    assert not (tmp_path / "out").exists()


def test_a_name_of_any_length_is_cut_in_what_is_said():
    objects = Objects()
    objects.add(f"annotation {10**400}", OUTSIDE)
    assert len(objects.named[OUTSIDE].first) == 200
    assert len(objects.refusal()) < 500
