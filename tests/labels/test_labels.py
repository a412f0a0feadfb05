"""labels.py: both forms of classes.json, refusals, palettes and mirrored classes."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable


def table(content: Any) -> LabelTable:
    return LabelTable.from_json(content, source="classes.json")


def refusal(content: Any) -> str:
    with pytest.raises(DataError) as caught:
        table(content)
    return str(caught.value)


def test_the_short_form_names_classes_by_id() -> None:
    assert table({"1": "road", "0": "sky", "2": "tree"}).names == ("sky", "road", "tree")


def test_the_list_form_gives_names_and_colors_in_any_order() -> None:
    labels = table([{"id": 1, "name": "road", "color": [10, 20, 30]}, {"id": 0, "name": "sky", "color": "#87ceeb"}])
    assert labels.names == ("sky", "road")
    assert labels.colors == ((0x87, 0xCE, 0xEB), (10, 20, 30))


def test_a_color_may_be_missing_or_null_and_ids_may_be_texts() -> None:
    labels = table([{"id": "0", "name": "sky", "color": None}, {"id": "1", "name": "road", "extra": 1}])
    assert labels.names == ("sky", "road")
    assert len(set(labels.colors)) == 2


def test_names_lose_the_blanks_around_them() -> None:
    assert table({"0": " sky ", "1": "road\n"}).names == ("sky", "road")


def test_the_list_form_survives_a_round_trip_through_json() -> None:
    labels = LabelTable.named(["sky", "road", "Straße"], {1: (1, 2, 3)})
    assert table(json.loads(json.dumps(labels.to_json()))) == labels


def test_the_list_form_is_written_as_documented() -> None:
    labels = LabelTable(("sky", "road"), ((135, 206, 235), (0, 1, 2)))
    assert labels.to_json() == [
        {"id": 0, "name": "sky", "color": "#87ceeb"},
        {"id": 1, "name": "road", "color": "#000102"},
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with the byte order mark of Windows editors"])
def test_a_file_is_read(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(mark + '{"0": "ciel", "1": "forêt"}', encoding="utf-8")
    assert LabelTable.read(path).names == ("ciel", "forêt")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"sky, road"])
def test_a_file_that_is_not_json_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "classes.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"classes\.json: cannot be read as JSON .* correct the file or remove it"):
        LabelTable.read(path)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DataError, match="cannot be read as JSON"):
            LabelTable.read(path)


@pytest.mark.parametrize(("content", "found"), [(3, "int"), ("sky", "str"), (["sky"], "list"), (None, "NoneType")])
def test_other_json_is_refused_with_its_type(content: Any, found: str) -> None:
    assert f"classes.json: found {found}, expected an object" in refusal(content)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([], "none"),
        ([0], "0"),
        ([1, 2], "1, 2"),
        ([0, 2], "0, 2"),
        ([-1, 0], "-1, 0"),
        (list(range(MAX_CLASSES + 1)), "0, 1, 2, 3, 4, 5, 6, 7, ... (255 in all)"),
    ],
)
def test_ids_with_gaps_or_beyond_the_limit_are_refused(ids: list[int], found: str) -> None:
    message = refusal({str(i): f"class {i}" for i in ids})
    assert f"class ids are {found}. Expected 2 to 254 classes" in message
    assert "renumber" in message


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"id": 0, "name": "a"}, {"id": 0, "name": "b"}], "class id 0 is listed twice"),
        ([{"id": 0, "name": "a"}, {"id": 1, "name": "a"}], "the name 'a' stands for several classes"),
        ([{"id": 0, "name": " "}], "class 0 has the name ' ', expected a text"),
        ([{"id": 0, "name": 7}], "class 0 has the name 7, expected a text"),
        ([{"id": 0}], "class 0 has the name None, expected a text"),
        ([{"name": "a"}], "no id where a class id"),
        ([{"id": "sky", "name": "a"}], "'sky' where a class id"),
        ([{"id": True, "name": "a"}], "True where a class id"),
        ([{"id": 0.5, "name": "a"}], "0.5 where a class id"),
        ([{"id": None, "name": "a"}], "None where a class id"),
    ],
)
def test_a_faulty_entry_is_refused_with_what_was_found(entries: list[dict[str, Any]], message: str) -> None:
    assert f"classes.json: {message}" in refusal(entries)


@pytest.mark.parametrize("color", ["blue", "#fff", "#12345g", "#11223344", [1, 2], [0, 0, 256], [0, 0, -1], 255, {}])
def test_a_faulty_color_is_refused(color: Any) -> None:
    assert 'expected "#rrggbb" or [red, green, blue]' in refusal([{"id": 0, "name": "sky", "color": color}])


def test_classes_that_nobody_named_are_numbered() -> None:
    labels = LabelTable.numbered(3)
    assert labels.names == ("class 0", "class 1", "class 2")
    assert labels.num_classes == 3


def test_as_many_classes_as_are_allowed_have_different_colors_and_none_is_that_of_ignored_pixels() -> None:
    colors = LabelTable.numbered(MAX_CLASSES).colors
    assert len(set(colors)) == MAX_CLASSES
    assert (255, 255, 255) not in colors


def test_a_background_in_first_place_is_black_and_nothing_else_is() -> None:
    assert LabelTable.named(["Background", "rock"]).colors[0] == (0, 0, 0)
    assert (0, 0, 0) not in LabelTable.named(["rock", "background"]).colors


def test_the_palette_holds_the_colors_then_grey_and_white_for_ignored_pixels() -> None:
    palette = LabelTable(("sky", "road"), ((1, 2, 3), (4, 5, 6))).palette()
    assert len(palette) == 768
    assert palette[:6] == bytes([1, 2, 3, 4, 5, 6])
    assert palette[6:9] == palette[3 * 254 : 3 * 255] == bytes([96, 96, 96])
    assert palette[3 * IGNORE :] == bytes([255, 255, 255])


@pytest.mark.parametrize(
    ("names", "mirrored"),
    [
        (("hair", "left arm", "right arm"), (0, 2, 1)),
        (("Left-shoe", "Right-shoe"), (1, 0)),
        (("right_leg", "hat", "left_leg"), (2, 1, 0)),
        (("LeftEye", "RightEye"), (1, 0)),
        (("arm (left)", "arm (right)"), (1, 0)),
        (("LEFT ARM", "right arm"), (1, 0)),
        (("left arm", "torso"), (0, 1)),
        (("bright", "bleft"), (0, 1)),
        (("sky", "Sky"), (0, 1)),
        (("left of right", "right of left"), (1, 0)),
    ],
)
def test_flipping_exchanges_left_and_right_partners(names: tuple[str, ...], mirrored: tuple[int, ...]) -> None:
    assert LabelTable.named(names).mirrored() == mirrored


def test_flipping_twice_gives_every_class_back() -> None:
    names = ["left arm", "right arm", "upright", "left", "right", "hat", "left shoe", "bright left", "bright right"]
    mirrored = LabelTable.named(names).mirrored()
    assert [mirrored[i] for i in mirrored] == list(range(len(names)))


def test_sources_say_what_a_class_was_in_the_masks_and_255_what_is_ignored() -> None:
    labels = table(
        [
            {"id": 0, "name": "road", "source": [1, 3, 4]},
            {"id": 1, "name": "crack", "source": "#ff0000"},
            {"id": 255, "name": "void", "color": "#000000"},
        ]
    )
    assert labels.sources == ((1, 3, 4), ((255, 0, 0),))
    assert labels.ignored == ((0, 0, 0),)
    assert labels.num_classes == 2
    assert table(json.loads(json.dumps(labels.to_json()))) == labels


@pytest.mark.parametrize("source", [-(2**31) - 1, 65536, 1.5, True, None, [], "red", {}])
def test_a_source_is_a_value_or_a_color(source: Any) -> None:
    message = refusal([{"id": 0, "name": "a", "source": source}, {"id": 1, "name": "b"}])
    assert "class 0" in message
    assert "expected" in message
