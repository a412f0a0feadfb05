"""Colour masks with tables of several tools."""

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
RED, BLUE, BLACK = (200, 0, 0), (0, 0, 200), (0, 0, 0)
TITLED = '[{"title": "roof", "color": "#c80000"}, {"title": "water", "color": "#0000C8"}]'
TABLE = LabelTable.named(["roof", "water"], {0: RED, 1: BLUE})


def halves(first, second):
    """(4, 6, 3): three columns of one colour and three of another."""
    return np.array([first] * 3 + [second] * 3, dtype=np.uint8)[None].repeat(4, axis=0)


@pytest.fixture
def folders(source, photo, encoded):
    def write(first=RED, second=BLUE, extra=None):
        files = {f"{part}/{i}.png": encoded(halves(first, second)) for part in ("mask",) for i in range(3)}
        return source({f"image/{i}.jpg": photo(i) for i in range(3)} | files | (extra or {}))

    return write


def one(masks):
    return next(iter(masks.values())).tolist()


EXPECTED = [[0, 0, 0, 1, 1, 1]] * 4


def test_colours_become_classes_by_the_given_table(folders, converted):
    report, masks = converted("color-masks", folders(), classes=TABLE)
    assert one(masks) == EXPECTED
    assert report.labels.sources == ((RED,), (BLUE,))
    assert report.labels.colors == (RED, BLUE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.json", f'{{"classes": {TITLED}}}'),
        ("classes.json", TITLED),
        ("meta/classes.json", TITLED.replace("title", "name").replace('{"name": "r', '{"id": 0, "name": "r')
        .replace('{"name": "w', '{"id": 1, "name": "w')),
        ("class_dict.csv", "name, r, g, b\nroof,200,0,0\nwater,0,0,200\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nroof:200,0,0::\nwater:0,0,200::\n"),
        ("label_colors.txt", "200 0 0\troof\n0 0 200\t\twater\n"),
    ],
)  # fmt: skip
def test_a_table_in_the_source_is_read(folders, converted, name, content):
    report, masks = converted("color-masks", folders(extra={name: content}))
    assert report.labels.names == ("roof", "water")
    assert one(masks) == EXPECTED
    assert f"Names and colours of the classes come from {name}." in report.notes


def test_palette_rgba_and_rgb_masks_mix(folders, converted, encoded):
    palette = Image.fromarray(np.array(EXPECTED, dtype=np.uint8))
    palette.putpalette([*RED, *BLUE])
    alpha = np.dstack([halves(RED, BLUE), np.zeros((4, 6), dtype=np.uint8)])
    folder = folders(extra={"mask/0.png": encoded(palette), "mask/1.png": encoded(alpha)})
    _, masks = converted("color-masks", folder, classes=TABLE)
    assert [mask.tolist() for mask in masks.values()] == [EXPECTED] * 3


def test_a_colour_may_be_ignored_and_a_class_may_have_several(folders, converted, encoded):
    labels = LabelTable.from_json(
        [
            {"id": 0, "name": "roof", "source": ["#c80000", "#c80001"]},
            {"id": 1, "name": "water", "color": "#0000c8"},
            {"id": 255, "name": "hole", "source": "#000000"},
        ],
        source="test",
    )
    row = [RED, (200, 0, 1), BLUE, BLUE, BLACK, BLACK]
    mask = encoded(np.array([row] * 4, dtype=np.uint8))
    report, masks = converted("color-masks", folders(extra={f"mask/{i}.png": mask for i in range(3)}), classes=labels)
    assert one(masks) == [[0, 0, 1, 1, 255, 255]] * 4
    assert report.labels.ignored == (BLACK,)


def test_without_a_table_every_colour_is_listed_and_asked_for(folders, converted):
    with pytest.raises(DataError, match=r"#0000c8 \(50 % of pixels, 3 masks, e\.g\. mask/0\.png\).*--classes FILE"):
        converted("color-masks", folders())


def test_colours_that_the_table_lacks_are_listed_with_those_it_has_in_vain(folders, converted):
    table = LabelTable.named(["roof", "water"], {0: RED, 1: (0, 0, 201)})
    with pytest.raises(DataError, match=r"lacks colours of the masks: #0000c8 .* No mask has .*: #0000c9 \(water\)"):
        converted("color-masks", folders(), classes=table)


def test_a_number_as_source_is_no_colour(folders, converted):
    table = LabelTable.named(["roof", "water"], sources={0: [3]})
    with pytest.raises(DataError, match="has the source 3, expected a colour"):
        converted("color-masks", folders(), classes=table)


def test_one_colour_for_two_classes_is_refused(folders, converted):
    with pytest.raises(DataError, match="gives #c80000 to 'roof' and to 'water'"):
        converted("color-masks", folders(), classes=LabelTable.named(["roof", "water"], {0: RED, 1: RED}))


def test_photographs_in_place_of_masks_are_seen_as_such(source, photo, converted):
    files = {f"{part}/{i}.jpg": photo(i, (40, 40)) for part in ("images", "masks") for i in range(2)}
    with pytest.raises(DataError, match="So many colours come from smoothing or from JPEG"):
        converted("color-masks", source(files), classes=TABLE)


@pytest.mark.parametrize(
    ("name", "content"),
    [("class_dict.csv", "name,r,g,b\nroof,x,0,0\n"), ("labelmap.txt", "roof:1,2::\n"), ("class_dict.csv", "a,b\n1,2\n"),
     ("class_dict.csv", "name,r,g,b\nroof,1\n"), ("label_colors.txt", "300 0 0 roof\n0 0 1 water"),
     ("classes.json", '{"classes": [{"title": "roof"}, {"title": "water"}]}'), ("classes.json", '{"classes": 3}')],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_named(folders, converted, name, content):
    with pytest.raises(DataError, match=name):
        converted("color-masks", folders(extra={name: content}))


def test_num_classes_must_fit_the_table(folders, converted):
    with pytest.raises(SettingsError, match="num_classes is 5"):
        converted("color-masks", folders(), classes=TABLE, num_classes=5)


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_aerial_photographs_whose_table_has_a_wrong_road_colour(converted):
    with pytest.raises(
        DataError, match=r"#6ec1e4 .*; #000000 .*No mask has these colours of the table: #1bb3f5 \(Road\)"
    ):
        converted("color-masks", RAW / "aerial-rgb")
    named = {"Water": "#e2a929", "Land": "#8429f6", "Road": "#6ec1e4", "Building": "#3c1098", "Vegetation": "#fedd3a"}
    named["Unlabeled"] = "#9b9b9b"
    entries = [{"id": i, "name": name, "color": color} for i, (name, color) in enumerate(named.items())]
    entries.append({"id": 255, "name": "hole", "source": "#000000"})
    report, masks = converted("color-masks", RAW / "aerial-rgb", classes=LabelTable.from_json(entries, source="test"))
    assert sum(report.images.values()) == 40
    assert sum(255 in mask for mask in masks.values()) == 5
