"""Names of a source -> class ids, in the source's order or in a given one."""

from pathlib import Path

import pytest

from pixelwise.data.convert.classes.names import Named, by_number, class_table, shown_color, with_background
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable

SOURCE = Source(Path("data"), [], lambda name: b"")
NAMED = [Named("car", (0, 0, 142), (3,)), Named("road", None, (7,))]


def test_classes_come_in_the_order_of_the_source_with_a_background_in_front():
    classes = class_table(with_background(NAMED), None, SOURCE)
    assert classes.labels.names == ("background", "car", "road")
    assert classes.labels.colors[:2] == ((0, 0, 0), (0, 0, 142))
    assert classes.labels.sources == ((), (3,), (7,))
    assert classes.ids == {"background": 0, "car": 1, "road": 2}
    assert classes.background == 0


def test_ids_that_stay_the_same_have_no_sources():
    classes = class_table([Named("a", None, (0,)), Named("b", None, (1,))], None, SOURCE)
    assert classes.labels.sources == ()


def test_a_background_under_any_spelling_is_one():
    assert [entry.name for entry in with_background([Named("car"), Named("_background_")])] == ["car", "_background_"]
    assert class_table([Named("_background_"), Named("car")], None, SOURCE).labels.colors[0] == (0, 0, 0)


def test_a_given_table_takes_classes_by_name_and_by_value():
    table = LabelTable.from_json(
        [
            {"id": 0, "name": "Road"},
            {"id": 1, "name": "vehicle", "color": "#ff0000", "source": [3, 4]},
            {"id": 255, "name": "void", "source": 9},
        ],
        source="table",
    )
    classes = class_table([*NAMED, Named("van", None, (4,)), Named("sky", None, (9,))], table, SOURCE)
    assert classes.ids == {"car": 1, "road": 0, "van": 1, "sky": IGNORE}
    assert classes.labels.colors[1] == (255, 0, 0)
    assert classes.labels.sources == ((7,), (3, 4))
    assert classes.labels.ignored == (9,)
    assert classes.background == IGNORE


def test_a_given_table_without_a_class_is_refused_and_says_which():
    table = LabelTable.named(["background", "car"])
    with pytest.raises(DataError, match=r"table given lacks: road\. The table has background, car"):
        class_table(with_background(NAMED), table, SOURCE)
    assert class_table(with_background(NAMED), table, SOURCE, used={"car"}).ids == {"background": 0, "car": 1}


def test_numbers_of_one_name_are_one_class_and_are_named():
    named, notes = by_number({7: "road", 3: "car", 5: "road", -1: "sky"}, {"car": (0, 0, 142)}, "categories")
    assert named == [Named("sky", None, ()), Named("car", (0, 0, 142), (3,)), Named("road", None, (5, 7))]
    assert notes == ["The categories 5, 7 are all called road and became one class."]


@pytest.mark.parametrize(
    ("text", "color"), [("#00ff7f", (0, 255, 127)), ("0a0b0c", (10, 11, 12)), ("red", None), (7, None)]
)
def test_colors_are_those_of_their_texts(text, color):
    assert shown_color(text) == color


def test_half_a_character_is_no_name():
    with pytest.raises(DataError, match=r"has a class called 'a\\ud800', which is no text"):
        class_table([Named("b"), Named("a\ud800")], None, SOURCE)
