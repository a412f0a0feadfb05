"""The menu of formats: what is said of names that are none of them."""

import pytest

from pixelwise.data.convert import menu
from pixelwise.data.convert.menu import FORMATS, unknown_format


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yolov8", "Its files are read by 'yolo'."),
        ("YOLO11-seg", "Its files are read by 'yolo'."),
        ("ultralytics", "Its files are read by 'yolo'."),
        ("roboflow", "Its files are read by 'coco' or 'yolo' or 'id-masks'."),
        ("vgg", "Its files are read by 'via'."),
        ("VGG Image Annotator", "Its files are read by 'via'."),
        ("nnU-Net", "Its files are read by 'id-masks'."),
        ("pascal-voc", "Its files are read by 'voc'."),
        ("superviseley", "Did you mean 'supervisely'?"),
        ("coc", "Did you mean 'coco'?"),
    ],
)
def test_names_that_people_ask_for_lead_to_the_formats(name, said):
    message = unknown_format(name)
    assert message.startswith(f"Unknown format {name!r}. {said} Known: ade20k, ")


def test_what_is_recommended_is_on_the_menu():
    assert {form for formats in menu._TOOLS.values() for form in formats} <= FORMATS.keys()
    assert not any(name in FORMATS for name in ("ultralytics", "roboflow", "vgg"))
