"""Files of class names as other tools write them, and what is wrong with them."""

from pathlib import Path

import pytest

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.labels.files.beside import CLASS_FILES, found_beside, same_classes
from pixelwise.labels.files.entries import NoClassNames

SKY_ROAD = ("sky", "road")


def read(folder: Path, name: str, content: str | bytes) -> LabelTable:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LabelTable.read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("_classes.csv", "Pixel Value, Class\n0, sky\n1, road\n"),
        ("dataset.json", '{"channel_names": {"0": "R"}, "labels": {"0": "sky", "1": "road"}}'),
        ("dataset.json", '{"channel_names": {"0": "R"}, "labels": {"road": 1, "sky": 0}}'),
        ("data.yaml", "path: .\nnc: 2\nnames: ['sky', 'road']\n"),
        ("data.yaml", "names:\n  0: sky\n  1: road\n"),
        ("id2label.json", '{"0": "sky", "1": "road"}'),
        ("config.json", '{"model_type": "segformer", "id2label": {"0": "sky", "1": "road"}, "label2id": {}}'),
        ("ids.json", '{"sky": 0, "road": 1}'),
        ("names.json", '{"names": ["sky", "road"]}'),
        ("a.txt", "sky\r\nroad\r\n\r\n"),
        ("a.txt", "0 sky\n1 road\n"),
        ("a.txt", "1: road\n0: sky\n"),
        ("a.txt", "road: 1\nsky: 0\n"),
        ("a.txt", "road 1\nsky 0\n"),
        ("a.txt", '{"0": "sky", "1": "road"}'),
        ("a.names", "sky\nroad"),
        ("a.csv", "sky\nroad"),
        ("a.csv", "name\nsky\nroad"),
        ("a.csv", "0,sky\n1,road"),
        ("a.csv", "id;name\n1;road\n0;sky"),
        ("a.csv", "0\tsky\n1\troad"),
        ("a.csv", "sep=;\nWert;Klasse\n0;sky\n1;road"),
        ("a.csv", "label,name\n0,sky\n1,road"),
        ("a.csv", "id,name\n0.0,sky\n1.0,road\n,,\n"),
        ("a.csv", "id,name\n0,sky\n1,road".encode("utf-16")),
        ("a.csv", "id,name\n0,sky\n1,road".encode("utf-8-sig")),
        ("a.csv", "0,sky\r1,road\r"),
    ],
)
def test_names_are_read(tmp_path: Path, name: str, content: str | bytes) -> None:
    labels = read(tmp_path, name, content)
    assert labels == LabelTable.named(SKY_ROAD)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labelmap.txt", "# label:color_rgb:parts:actions\nsky:1,2,3::\nroad:4,5,6::\n"),
        ("label_colors.txt", "1 2 3\tsky\n4 5 6\t\troad\n"),
        ("class_dict.csv", "name, r, g, b\nsky, 1, 2, 3\nroad, 4, 5, 6\n"),
        ("a.csv", "sky,1,2,3\nroad,4,5,6"),
        ("a.csv", "0,sky,1,2,3\n1,road,4,5,6"),
        ("a.csv", "id,name,color\n0,sky,#010203\n1,road,040506"),
        ("a.csv", 'id,name,colour\n0,sky,"(1, 2, 3)"\n1,road,"4 5 6"'),
        ("meta.json", '{"classes": [{"title": "sky", "color": "#010203"}, {"title": "road", "color": "#040506"}]}'),
    ],
)
def test_colours_are_those_of_the_classes(tmp_path: Path, name: str, content: str) -> None:
    labels = read(tmp_path, name, content)
    assert (labels.names, labels.colors, labels.sources) == (SKY_ROAD, ((1, 2, 3), (4, 5, 6)), ())


def test_names_keep_what_separates_columns_elsewhere(tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", "building, edifice\nsky").names == ("building, edifice", "sky")
    assert read(tmp_path, "a.csv", '0,"building, edifice"\n1,sky').names == ("building, edifice", "sky")
    assert read(tmp_path, "a.csv", "0;building, edifice\n1;sky").names == ("building, edifice", "sky")
    assert read(tmp_path, "labelmap.txt", "car: parked:1,2,3::\nsky:4,5,6::").names == ("car: parked", "sky")
    assert read(tmp_path, "a.txt", "class 0\nclass 1").names == ("class 0", "class 1")
    assert read(tmp_path, "a.txt", "2 wheeler\ncar\nbus").names == ("2 wheeler", "car", "bus")
    assert read(tmp_path, "data.yaml", "names: [no, yes, 007]").names == ("no", "yes", "007")


def test_what_tools_ignore_is_ignored(tmp_path: Path) -> None:
    labels = read(tmp_path, "dataset.json", '{"labels": {"background": 0, "liver": 1, "ignore": 2}}')
    assert (labels.names, labels.sources, labels.ignored) == (("background", "liver"), ((0,), (1,)), (2,))
    border = read(tmp_path, "labelmap.txt", "a:0,0,0::\nignored:224,224,192::\nb:1,1,1::\n")
    assert (border.names, border.ignored) == (("a", "b"), ((224, 224, 192),))
    assert read(tmp_path, "labels.txt", "__ignore__\n_background_\ncat\n").names == ("background", "cat")


def test_one_class_of_yolo_has_a_background_before_it(tmp_path: Path) -> None:
    assert read(tmp_path, "data.yaml", "nc: 1\nnames: [crack]").names == ("background", "crack")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("dataset.json", '{"labels": {"background": 0, "whole": [1, 2]}}', "'whole' is a region of the labels 1, 2"),
        ("dataset.json", '{"labels": {"background": 0, "a": 1, "b": 1}}', "the id 1 stands for 'a' and for 'b'"),
        ("dataset.json", '{"labels": {"background": 0, "a": 2}}', "class ids are 0, 2. Expected"),
        ("dataset.json", '{"labels": {"background": 0, "a": "x"}}', "'a' has the id 'x'"),
        ("data.yaml", "nc: 3\nnames: [a, b]", "nc is 3, but names lists 2"),
        ("data.yaml", "names:\n  0: a\n  0: b", "the key '0' is there twice"),
        ("data.yaml", "x: &x [a, b]\nnames: *x", "line 2 has an alias"),
        ("data.yaml", "names: {a: [1}", "cannot be read as YAML"),
        ("data.yaml", "[" * 50_000, "nested too deep"),
        ("data.yaml", "# " + "x" * 300_000, "bytes, more than 256,000"),
        ("a.json", "[" * 200_000, "nested too deep"),
        ("a.json", '{"0": "a", "0": "b"}', "the key '0' is there twice"),
        ("a.json", '{"0": NaN, "1": "b"}', "class 0 has the name nan"),
        ("a.json", '{"0": "\\ud800", "1": "b"}', r"class 0 has the name '\ud800'"),
        ("a.json", '{"0": "a\\nb", "1": "b"}', r"class 0 has the name 'a\nb'"),
        ("a.json", '{"0": "%s", "1": "b"}' % ("x" * 201), "at most 200 letters"),
        ("a.txt", "", "holds no name"),
        ("a.txt", "a\nb\na", "line 3 has the name 'a', which line 1 has too"),
        ("a.txt", "0 a\n1 b\nc", "line 3 is 'c', expected an id and a name"),
        ("a.txt", "0 a\n0 b", "line 2 gives 'b' the class id 0, which line 1 gives 'a'"),
        ("a.txt", "0 a\n5 b\n17 c", '{"id": 1, "name": "b", "source": 5}'),
        ("a.txt", b"sky\nfor\xeat", "line 2 is no UTF-8: byte 0xea"),
        ("a.txt", b"sky\0\nroad", "line 1 holds a NUL"),
        ("labelmap.txt", "a:0,0,0::\nb:0,0,256::", "line 2 is 'b:0,0,256::'"),
        ("labelmap.txt", "a:0,0,0::\nb:0,0,0::", "line 2 is 'b:0,0,0::'"),
        ("label_colors.txt", "1 2 3 a\n300 0 0 b", "line 2 is '300 0 0 b'"),
        ("a.csv", "\n\n", "holds no row"),
        ("a.csv", "id,name\n0,a\n0,b", "line 3 gives 'b' the class id 0, which line 2 gives 'a'"),
        ("a.csv", "id,name\n0,a\n1,", "line 3 has no name"),
        ("a.csv", "id,name\nnan,a\n1,b", "line 2 has the id 'nan' for 'a'"),
        ("a.csv", "id,name,r,g,b\n0,a,1,2,3\n1,b,1,2,300", "line 3 has the colour '1, 2, 300'"),
        ("a.csv", "0,a\n1,b, c", "line 2 has 3 cells"),
        ("a.csv", "0,1\n1,2", "does not show which column holds the names"),
        ("a.csv", "".join(f"{i},c{i}\n" for i in range(255)), "Expected 2 to 254 classes"),
        ("a.csv", "0,a\n1," + "x" * 200_000, "cannot be read as CSV"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("_classes.csv", "filename, cat, dog\na.jpg, 0, 1\n"),
        ("dataset.json", '{"labels": [["00000/img.png", 3]]}'),
        ("dataset.json", '{"name": "mine"}'),
        ("data.yaml", "train: images/train\n"),
        ("classes.txt", "images/1.png\nimages/2.png\n"),
        ("labels.txt", "img_1 3\nimg_2 3\n"),
        ("labels.txt", "\n".join(f"name{i}" for i in range(300))),
    ],
)
def test_files_that_speak_of_something_else_are_not_taken(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(NoClassNames):
        read(tmp_path, name, content)
    assert found_beside([tmp_path]) == ()


def test_classes_json_counts_first_and_then_the_order_of_the_list(tmp_path: Path) -> None:
    for name in ("classes.txt", "_classes.csv", "classes.json"):
        (tmp_path / name).write_text('{"0": "a", "1": "b"}' if name.endswith("json") else "a\nb")
    assert [path.name for path in found_beside([tmp_path])] == ["classes.json", "_classes.csv", "classes.txt"]
    assert len(set(CLASS_FILES)) == len(CLASS_FILES)


def test_yolo_may_leave_the_background_out() -> None:
    assert same_classes(["a", "b"], "data.yaml", ["background", "a", "b"], "classes.json")
    assert same_classes(["background", "a"], "classes.txt", ["a"], "data.yaml")
    assert not same_classes(["a", "b"], "classes.txt", ["background", "a", "b"], "classes.json")
