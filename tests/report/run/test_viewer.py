import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.labels import LabelTable
from pixelwise.report.run.content import Panel
from pixelwise.report.run.viewer.panel_pictures import draw_panels
from pixelwise.report.run.viewer.viewer import grouped, iou_texts, picture_sections, script_data
from tests.report.drawn_report import many_classes

LABELS = LabelTable.named(["sky", "road"])


def a_panel(name, size=(8, 6), seed=0, num_classes=2):
    generator = np.random.default_rng(seed)
    planes = [generator.integers(0, num_classes, size[::-1], dtype=np.uint8) for _ in range(2)]
    noise = [generator.integers(0, 256, (*size[::-1], *more), dtype=np.uint8) for more in ((3,), ())]
    return Panel(name, Image.fromarray(noise[0]), *planes, noise[1])


def decoded(uri):
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(";base64,")[2]))))


def test_class_ids_travel_exactly():
    truth = np.arange(256, dtype=np.uint8).reshape(16, 16)
    panel = Panel("a", Image.new("RGB", (16, 16)), truth, truth[::-1].copy(), truth)
    _, data = picture_sections([panel], [], many_classes(254))
    assert np.array_equal(decoded(data["panels"][0]["truth"]), truth)
    assert np.array_equal(decoded(data["panels"][0]["predicted"]), truth[::-1])
    assert decoded(data["panels"][0]["truth"]).dtype == np.uint8


def test_a_panel_shows_seven_pictures_that_are_named(read):
    drawn = draw_panels([a_panel("one <&> two")], {"one <&> two": {"mean_iou": 0.25, "wrong": 0.5}}, LABELS)[0]
    page = read(drawn.html)
    assert len(page.all("img")) == 7
    assert "mean IoU 0.250, pixel accuracy -" in page.text
    assert "Errors in red: 50.0 %" in page.text


def test_pictures_keep_to_their_room_whatever_they_show():
    panels = [a_panel(str(i), (640, 480), i, 200) for i in range(2)]
    wide = sum(
        len(each.html) + sum(map(len, each.planes.values())) for each in draw_panels(panels, {}, many_classes(200))
    )
    assert wide < 6_500_000
    many = draw_panels(panels * 24, {}, many_classes(200))
    assert sum(len(each.html) + sum(map(len, each.planes.values())) for each in many) < 6_500_000


def test_panels_are_grouped_by_the_scores_of_their_images():
    images = [{"name": str(i), "mean_iou": i / 10} for i in range(9)]
    panels = [a_panel(name) for name in ("8", "4", "0", "x")]
    assert grouped(panels, images) == {"worst": [2], "median": [1], "best": [0], "others": [3]}


def test_panels_without_scores_are_shown_too():
    assert grouped([a_panel("a")], []) == {"others": [0]}


def test_the_viewer_offers_every_image_and_every_class(read):
    sections, _ = picture_sections([a_panel("a"), a_panel("b")], [], LABELS)
    page = read(sections[0].body)
    assert [option["value"] for option in page.all("option")] == ["0", "1"]
    boxes = [each["value"] for each in page.all("input") if each["type"] == "checkbox"]
    assert boxes == ["0", "1"]
    assert page.all("canvas")[0]["tabindex"] == "0"


def test_no_panels_no_sections():
    assert picture_sections([], [], LABELS) == ([], {})


def test_no_text_ends_the_data_of_the_script(read):
    evil = "</script><script>alert(1)</script><!--"
    element = script_data({"names": [evil]})
    assert len(read(element).all("script")) == 1
    text = element.removeprefix('<script type="application/json" id="report-data">').removesuffix("</script>")
    assert json.loads(text) == {"names": [evil]}


@pytest.mark.parametrize(("iou", "text"), [([0.5, None, 1.0, 0.0], "500,,1000,0"), ([None], ""), ([], "")])
def test_ious_are_written_in_thousandths(iou, text):
    assert iou_texts([{"iou": iou}]) == [text]
