"""What values and colours mean, by tables; contradictions and gaps are errors."""

from pathlib import Path

import pytest

from pixelwise.data.convert.classes.survey import Seen
from pixelwise.data.convert.classes.tables import color_meaning, given_labels, given_table, value_meaning
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

HERE = Path("masks")
TWO = LabelTable.named(["a", "b"])


def seen(*values):
    return {value: Seen(1, 1, "m.png") for value in values}


def test_plain_ids_keep_their_meaning_and_255_is_ignored():
    meaning = value_meaning(seen(0, 1, 255), TWO, None, HERE)
    assert meaning.ids == {0: 0, 1: 1, 255: 255}
    assert meaning.labels == TWO


def test_classes_without_a_source_keep_their_id():
    labels = LabelTable.named(["a", "b", "c"], sources={2: [9]})
    meaning = value_meaning(seen(0, 1, 9), labels, None, HERE)
    assert meaning.ids == {0: 0, 1: 1, 9: 2, 255: 255}
    assert meaning.labels.sources == ((0,), (1,), (9,))


def test_255_can_be_a_class():
    labels = LabelTable.named(["a", "b"], sources={0: [0, 128], 1: [255]})
    assert value_meaning(seen(0, 128, 255), labels, None, HERE).ids == {0: 0, 128: 0, 255: 1}


def test_0_and_255_alone_are_two_classes_where_nothing_is_given():
    meaning = value_meaning(seen(0, 255), None, None, HERE)
    assert (meaning.ids, meaning.labels.names) == ({0: 0, 255: 1}, ("class 0", "class 1"))
    assert meaning.labels.sources == ((0,), (255,))
    assert meaning.notes == ("The masks hold 0 and 255 alone; 255 became class 1 (class 1).",)


@pytest.mark.parametrize("values", [(0,), (255,), (1, 2), (0, 2, 255), (0, 254), (0, 128, 255), tuple(range(255))])
def test_all_other_values_without_names_are_asked_for(values):
    with pytest.raises(DataError, match="nothing says which classes the values of the masks are"):
        value_meaning(seen(*values), None, None, HERE)


@pytest.mark.parametrize(
    ("values", "example"),
    [
        ((0,), '{"0": "background", "1": "NAME"}'),
        ((1, 2), '[{"id": 0, "name": "NAME", "source": 1}, {"id": 1, "name": "NAME", "source": 2}, ...]'),
    ],
)
def test_the_example_of_a_table_fits_the_values(values, example):
    with pytest.raises(DataError) as caught:
        value_meaning(seen(*values), None, None, HERE)
    assert f"such as {example}" in str(caught.value)


@pytest.mark.parametrize(("values", "count"), [((0, 1), 2), ((0, 1, 255), 2), ((0, 1, 2, 3), 4)])
def test_ids_from_0_on_without_gaps_need_no_names(values, count):
    meaning = value_meaning(seen(*values), None, None, HERE)
    assert meaning.labels == LabelTable.numbered(count)
    assert meaning.ids == {i: i for i in (*range(count), 255)}
    assert meaning.notes[0].startswith(f"The masks hold the ids 0 to {count - 1} and nothing names the classes")


def test_numbers_that_count_objects_are_no_classes():
    # Ten pictures; the i-th object is in those that have so many.
    objects = {0: Seen(9, 10, "m.png")} | {i: Seen(9, 11 - i, "m.png") for i in range(1, 11)}
    with pytest.raises(DataError, match=r"may number the objects .* give --num-classes 11"):
        value_meaning(objects, None, None, HERE)
    assert value_meaning(objects, None, 11, HERE).labels.num_classes == 11


def test_a_colour_that_is_ignored_does_not_disturb_numbers():
    labels = LabelTable.named(["a", "b"], ignored=[(224, 224, 192)])
    assert value_meaning(seen(0, 1, 255), labels, None, HERE).ids == {0: 0, 1: 1, 255: 255}


def test_a_value_in_two_classes_is_refused():
    # Class 1 has no source and is therefore 1, which class 0 takes.
    with pytest.raises(DataError, match="gives 1 to 'a' and to 'b'"):
        value_meaning(seen(1), LabelTable.named(["a", "b"], sources={0: [1]}), None, HERE)
    with pytest.raises(DataError, match="gives 7 to 'a' and to what is ignored"):
        value_meaning(seen(7), LabelTable.named(["a", "b"], sources={0: [7]}, ignored=[7]), None, HERE)


def test_colours_are_no_numbers():
    with pytest.raises(DataError, match="has the source #010203, expected a number"):
        value_meaning(seen(0), LabelTable.named(["a", "b"], sources={0: [(1, 2, 3)]}), None, HERE)


def test_a_source_replaces_the_colour_a_class_is_drawn_in():
    labels = LabelTable.named(["a", "b"], {0: (1, 1, 1), 1: (2, 2, 2)}, sources={1: [(0, 0, 9)]}, ignored=[(0, 0, 0)])
    meaning = color_meaning(seen(0x010101, 9, 0), labels, HERE)
    assert meaning.ids == {0x010101: 0, 9: 1, 0: 255}
    assert meaning.labels.colors == labels.colors
    with pytest.raises(DataError, match="#020202"):
        color_meaning(seen(0x020202), labels, HERE)


def test_the_classes_file_nearest_to_the_root_counts():
    files = {"deep/classes.json": b'{"0": "x", "1": "y"}', "classes.json": b'{"0": "a", "1": "b"}'}
    source = Source(HERE, files, files.__getitem__)
    found = given_labels(source, Options())
    assert found == TWO
    assert given_labels(source, Options(classes=LabelTable.named(["c", "d"]))) == LabelTable.named(["c", "d"])


def files_of(files):
    return Source(HERE, files, files.__getitem__)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("_classes.csv", b"Pixel Value, Class\n0, a\n1, b\n"),
        ("train/_classes.csv", b"Pixel Value, Class\n0, a\n1, b\n"),
        ("dataset.json", b'{"labels": {"a": 0, "b": 1}, "file_ending": ".png"}'),
        ("data.yaml", b"names:\n  0: a\n  1: b\n"),
        ("id2label.json", b'{"0": "a", "1": "b"}'),
        ("classes.txt", b"a\nb\n"),
    ],
)
def test_files_of_other_tools_name_the_classes_of_a_source(name, content):
    found = given_table(files_of({name: content}), Options())
    assert found.labels == TWO
    assert found.notes == (f"Names of the classes come from {name}.",)


def test_a_file_of_the_name_that_speaks_of_something_else_is_passed_over():
    files = {"dataset.json": b'{"name": "x"}', "data.yaml": b"train: images", "classes.txt": b"a\nb"}
    assert given_table(files_of(files), Options()).labels == TWO


def test_files_that_contradict_each_other_are_named():
    files = {"data.yaml": b"names: [x, y]", "classes.txt": b"a\nb"}
    with pytest.raises(DataError, match=r"classes\.txt names the classes a, b, and data\.yaml names them x, y"):
        given_table(files_of(files), Options())
    found = given_table(files_of(files | {"classes.json": b'{"0": "a", "1": "b"}'}), Options())
    assert found.labels == TWO
    assert found.notes[1] == "data.yaml names the classes x, y, and classes.json names them a, b; classes.json counts."
    splits = {"train/_classes.csv": b"0,a\n1,b", "valid/_classes.csv": b"0,b\n1,a"}
    with pytest.raises(DataError, match=r"valid/_classes\.csv names the classes b, a"):
        given_table(files_of(splits), Options())
