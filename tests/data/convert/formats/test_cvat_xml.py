"""CVAT's XML of shapes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.cvat.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError

pytest.importorskip("pycocotools")

LABELS = (
    "<label><name>road</name><color>#fa3253</color><type>any</type></label>"
    "<label><name>car</name><color>#33ddff</color></label>"
    "<label><name>wheel</name><parent>car</parent></label>"
)
CAR = '<mask label="car" source="manual" rle="1, 2, 2, 1" left="1" top="0" width="3" height="2" z_order="1"></mask>'
ROAD = '<box label="road" xtl="0.00" ytl="1.00" xbr="4.00" ybr="3.00" z_order="0"></box>'


def write(root: Path, *images, labels=LABELS, head='<?xml version="1.0" encoding="utf-8"?>') -> None:
    """`images` are (name, attributes, shapes), all of 4 x 3 pixels."""
    root.mkdir(parents=True, exist_ok=True)
    listed = "".join(
        f'<image id="{i}" name="{name}" {more} width="4" height="3">{shapes}</image>'
        for i, (name, more, shapes) in enumerate(images)
    )
    meta = f"<meta><task><name>t</name><labels>{labels}</labels></task></meta>"
    (root / "annotations.xml").write_text(f"{head}\n<annotations><version>1.1</version>{meta}{listed}</annotations>")
    for i, (name, _, _) in enumerate(images):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (3, 4, 3), dtype=np.uint8)).save(path)


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.image, item.split, item.class_ids().tolist()) for item in conversion.items}


def test_shapes_lie_by_z_order_over_a_background(tmp_path):
    write(tmp_path, ("cam/a.png", 'subset="Train"', CAR + ROAD))
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "road", "car")
    assert conversion.labels.colors[1:] == ((250, 50, 83), (51, 221, 255))
    # Rows from 1 to 3 are road; the mask's rows are .xx and ..x inside its box from column 1 on.
    expected = [[0, 0, 2, 2], [1, 1, 1, 2], [1, 1, 1, 1]]
    assert items == {"a": ("images/cam/a.png", "train", expected)}


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ('<polygon label="car" points="1.0,0.0;3.0,0.0;3.0,3.0;1.0,3.0"/>', [[0, 2, 2, 0]] * 3),
        ('<box label="car" xtl="0.5" ytl="1" xbr="3.5" ybr="2" rotation="90"/>', [[0, 0, 2, 0]] * 3),
        ('<ellipse label="car" cx="2" cy="1.5" rx="1.5" ry="1.5"/>', None),
        ('<polyline label="car" points="0,0;4,3"/>', [[0] * 4] * 3),
    ],
)
def test_shapes_of_every_type(tmp_path, drawn, expected):
    write(tmp_path, ("a.png", "", drawn))
    conversion, items = opened(tmp_path)
    plane = np.array(items["a"][2])
    if expected is None:
        assert plane[1].tolist()[1:3] == [2, 2]
        assert np.array_equal(plane, plane[::-1])
    elif "rotation" in drawn:  # turned upright, it is a column of three pixels about x = 2
        assert (plane > 0).sum() == 3
        assert (plane > 0).all(axis=0).sum() == 1
    else:
        assert plane.tolist() == expected
    assert ("passed over" in " ".join(conversion.notes)) == ("polyline" in drawn)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ('<mask label="car" rle="1, 2" left="1" top="0" width="3" height="2"/>', "has run lengths for 3 pixels"),
        ('<mask label="car" rle="6" left="2" top="0" width="3" height="2"/>', "has a mask at 2, 0 of 3 x 2 px"),
        ('<mask label="car" rle="x" left="1" top="0" width="3" height="2"/>', "has a shape that cannot be read"),
        ('<box label="car" xtl="0"/>', "has a shape that cannot be read"),
        ('<polygon label="van" points="0,0;1,1;1,0"/>', "has a polygon of the label 'van'"),
        ('<polygon label="car" points="0,0;1;1,0"/>', "has the polygon"),
    ],
)
def test_a_shape_that_cannot_be_drawn_is_named(tmp_path, drawn, message):
    write(tmp_path, ("a.png", "", drawn))
    with pytest.raises(DataError, match=rf"annotations\.xml: a\.png {message}"):
        opened(tmp_path)


def test_entities_are_refused(tmp_path):
    head = '<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa">]>'
    write(tmp_path, ("a.png", "", ""), head=head)
    with pytest.raises(DataError, match="has a DOCTYPE, which is not read"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations>", r"is no XML in UTF-8 \(no element found"),
        ("<other/>", "lists no images"),
        ("<annotations><track id='0'/></annotations>", "has tracks of a video"),
        ("<annotations><image name='a.png'/></annotations>", "lists no labels"),
    ],
)
def test_what_is_no_such_xml_is_refused(tmp_path, text, message):
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(DataError, match=message):
        opened(tmp_path)


def test_an_export_without_images_says_so(tmp_path):
    write(tmp_path, ("a.png", "", CAR))
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r'lists 1 images and none is here.*"Save images" switched on'):
        opened(tmp_path)


def test_a_conversion_passes_check(tmp_path):
    write(tmp_path / "export", *((f"{i}.png", "", CAR + ROAD) for i in range(5)))
    convert("cvat", tmp_path / "export", tmp_path / "dataset", options=Options())
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []
