"""Polygons and run lengths of single objects, compared with pycocotools."""

import numpy as np
import pytest

from pixelwise.data.convert.formats import polygons as module
from pixelwise.data.convert.formats.polygons import NoRegion, polygons, runs, segmentation
from pixelwise.errors import MissingExtra

masks = pytest.importorskip("pycocotools.mask")


def blobs(seed, shape):
    generator = np.random.default_rng(seed)
    return np.asfortranarray(generator.random(shape) < generator.random(), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(20))
def test_compressed_run_lengths_are_read_as_pycocotools_reads_them(seed):
    region = blobs(seed, (17 + seed, 90 - seed))
    encoded = masks.encode(region)
    encoded["counts"] = encoded["counts"].decode()
    assert np.array_equal(segmentation(encoded, region.shape), region == 1)


def test_long_runs_need_several_characters_and_a_sign():
    region = np.zeros((300, 300), dtype=np.uint8, order="F")
    region[5:200, 40:120] = 1
    region[7, 250] = 1
    encoded = masks.encode(region)
    assert np.array_equal(segmentation({**encoded, "counts": encoded["counts"].decode()}, (300, 300)), region == 1)


def test_plain_run_lengths_go_down_the_columns_and_begin_outside():
    region = segmentation({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3))
    assert region.tolist() == [[False, True, False], [True, False, False]]


def test_run_lengths_by_rows():
    assert runs([0, 2, 3, 1], (2, 3), by_columns=False).tolist() == [[True, True, False], [False, False, True]]


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' decode
def test_parts_of_an_object_are_united_as_annToMask_does():
    parts = [[1.2, 1.5, 9.7, 2.1, 6.3, 11.8], [12.0, 3.0, 18.5, 3.0, 18.5, 9.0, 12.0, 9.0]]
    expected = masks.decode(masks.merge(masks.frPyObjects(parts, 14, 20)))
    assert np.array_equal(segmentation(parts, (14, 20)), expected == 1)


def test_a_part_of_two_points_has_no_area_and_is_no_box():
    assert not polygons([[1, 1, 5, 5]], (8, 8)).any()
    square = [2, 2, 6, 2, 6, 6, 2, 6]
    assert polygons([[1, 1, 5, 5], square], (8, 8)).sum() == 16


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "has the segmentation None"),
        ([], "has the segmentation"),
        ("00", "has the segmentation 00"),
        ([[1, 2, 3]], "has the polygon"),
        ([[1, 1, float("nan"), 2, 3, 3]], "has the polygon"),
        ([[0, 0, 1e12, 0, 1e12, 1e12]], "has the polygon"),
        ([["a", "b"]], "has the polygon"),
        ([[0, 0, 10**400, 0, 3, 3]], "has the polygon"),
        ([0, 0, 10**400, 0, 3, 3], "has the polygon"),
        ([1, 1, 3, 1, 3], "has the polygon"),
        ([1, 1, "3", 1, 3, 3], "has the polygon"),
        ({"size": [4, 4], "counts": [3, 2]}, "has run lengths for 5 pixels"),
        ({"size": [4, 4], "counts": [17, -1]}, "has run lengths"),
        ({"size": [4, 4], "counts": [3, 10**30]}, "has run lengths"),
        ({"size": [4, 4], "counts": "zzzz~~~~"}, "has the run lengths"),
        ({"size": [4, 4], "counts": "o"}, "has the run lengths"),
        ({"size": [4, 4], "counts": ""}, "has the run lengths"),
        ({"size": [4, 4], "counts": None}, "has the run lengths None"),
        ({"size": [4, 5], "counts": [16]}, "has run lengths of size"),
    ],
)
def test_what_is_no_region_is_refused(value, found):
    with pytest.raises(NoRegion) as error:
        segmentation(value, (4, 4))
    assert error.value.args[0].startswith(found)


def test_without_pycocotools_polygons_name_the_extra_and_run_lengths_work(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"pixelwise\[convert\]"):
        polygons([[1, 1, 5, 1, 5, 5]], (8, 8))
    assert segmentation({"size": [1, 2], "counts": [1, 1]}, (1, 2)).tolist() == [[False, True]]
