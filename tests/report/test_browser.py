"""The page in a real browser, headless: it renders, asks for nothing, and its controls do what they say."""

import numpy as np
import pytest

from pixelwise.report.run.page import write_report
from tests.report.browser import CHROMIUM, Browser
from tests.report.drawn_report import drawn_content

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")

PIXEL = """(x, y) => [...document.getElementById("viewer-canvas").getContext("2d").getImageData(x, y, 1, 1).data]"""
ALL_PIXELS = """(() => { const canvas = document.getElementById("viewer-canvas");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.join(); })()"""


@pytest.fixture(scope="module")
def content():
    return drawn_content()


@pytest.fixture(scope="module")
def report(content, tmp_path_factory):
    return write_report(content, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture
def page(browser, report):
    browser.open(report)
    browser.wait("document.getElementById('viewer-canvas').width === 96")
    return browser


def choose(page, name, value, event="change"):
    page.run(
        f"(() => {{ const element = document.getElementById({name!r}); element.value = {value!r};"
        f" element.dispatchEvent(new Event({event!r}, {{ bubbles: true }})); }})()"
    )


def column(page, index):
    return page.run(
        f"[...document.querySelectorAll('#all-images tbody tr')].map(row => row.cells[{index}].textContent)"
    )


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_renders_without_errors_requests_or_sideways_scrolling(browser, report, tmp_path, width, dark):
    browser.open(report, width=width, dark=dark)
    browser.wait("document.getElementById('viewer-canvas').width === 96")
    browser.screenshot(tmp_path / "page.png", whole=False)
    assert browser.errors == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [report.as_uri()]
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is not dark


def test_the_slider_mixes_the_image_and_its_prediction(page, content):
    panel = content.panels[0]
    choose(page, "viewer-opacity", "0", "input")
    photo = page.run(f"({PIXEL})(48, 60)")
    choose(page, "viewer-opacity", "100", "input")
    color = page.run(f"({PIXEL})(48, 60)")
    assert color[:3] == list(content.labels.colors[panel.predicted[60, 48]])
    assert np.abs(np.array(photo[:3]) - np.asarray(panel.image)[60, 48]).max() < 40  # JPEG
    choose(page, "viewer-opacity", "50", "input")
    assert np.abs(np.array(page.run(f"({PIXEL})(48, 60)")) - (np.array(photo) + color) / 2).max() <= 1
    assert page.run("document.getElementById('viewer-percent').textContent") == "50 %"


def test_every_class_id_arrives_exactly(page, content):
    choose(page, "viewer-opacity", "100", "input")
    drawn = np.array(page.run(ALL_PIXELS).split(","), dtype=np.uint8).reshape(72, 96, 4)
    colors = np.array(content.labels.colors, dtype=np.uint8)
    assert np.array_equal(drawn[..., :3], colors[content.panels[0].predicted])


def test_a_class_is_switched_off_and_all_are_switched_on_again(page, content):
    choose(page, "viewer-opacity", "100", "input")
    class_id = int(content.panels[0].predicted[60, 48])
    before = page.run(f"({PIXEL})(48, 60)")
    page.run(f"document.querySelector('#viewer-classes input[value=\"{class_id}\"]').click()")
    assert page.run(f"({PIXEL})(48, 60)") != before
    page.run("document.querySelector('#viewer-classes button[value=none]').click()")
    bare = page.run(ALL_PIXELS)
    choose(page, "viewer-opacity", "0", "input")
    assert page.run(ALL_PIXELS) == bare
    choose(page, "viewer-opacity", "100", "input")
    page.run("document.querySelector('#viewer-classes button[value=all]').click()")
    assert page.run(f"({PIXEL})(48, 60)") == before


def test_the_layers_are_prediction_truth_and_errors(page, content):
    panel = content.panels[0]
    y, x = np.argwhere((panel.truth != panel.predicted) & (panel.truth != 255))[-1]
    choose(page, "viewer-opacity", "100", "input")
    colors = [list(content.labels.colors[plane[y, x]]) for plane in (panel.predicted, panel.truth)] + [[213, 94, 0]]
    for layer, color in zip(("predicted", "truth", "errors"), colors, strict=True):
        page.run(f"document.querySelector('#viewer-layer [value={layer}]').click()")
        assert page.run(f"({PIXEL})({x}, {y})")[:3] == color


def test_the_class_under_the_pointer_is_named(page, content):
    panel, names = content.panels[0], content.labels.names
    page.run("document.getElementById('viewer-canvas').scrollIntoView({ behavior: 'instant' })")
    box = page.run("document.getElementById('viewer-canvas').getBoundingClientRect().toJSON()")
    page.point(box["x"] + 48.5 * box["width"] / 96, box["y"] + 60.5 * box["height"] / 72)
    page.wait("document.getElementById('viewer-readout').textContent.includes('(48, 60)')")
    said = page.run("document.getElementById('viewer-readout').textContent")
    assert f"truth {names[panel.truth[60, 48]]}, prediction {names[panel.predicted[60, 48]]}:" in said
    probability = int(said.partition("probability ")[2].removesuffix(" %"))
    assert abs(probability - panel.confidence[60, 48] / 2.55) < 4


def test_the_viewer_is_used_by_keyboard(page, content):
    page.run("document.getElementById('viewer-canvas').focus()")
    page.press("ArrowRight")
    page.press("ArrowDown", shift=True)
    said = page.run("document.getElementById('viewer-readout').textContent")
    assert said.startswith("(49, 46) truth ")
    for _ in range(8):
        page.press("ArrowUp", shift=True)
    assert "truth ignored, prediction" in page.run("document.getElementById('viewer-readout').textContent")


def test_next_and_previous_go_through_the_images(page, content):
    shown = "document.getElementById('viewer-image').selectedOptions[0].textContent"
    first = page.run(shown)
    page.run("document.getElementById('viewer-next').click()")
    page.wait(f"{shown} !== {first!r}")
    page.run("document.getElementById('viewer-previous').click()")
    page.wait(f"{shown} === {first!r}")


def test_a_name_in_the_table_opens_its_image(page, content):
    index = len(content.panels) - 1
    page.run(f"document.querySelector('#all-images [data-panel=\"{index}\"]').click()")
    page.wait(f"document.getElementById('viewer-image').value === '{index}'")
    assert page.run("location.hash") == "#viewer"
    assert page.run("document.activeElement.id") == "viewer-canvas"


def test_images_are_sorted_by_any_column_by_keyboard_too(page):
    head = "document.querySelector('#all-images th:nth-child(2) button')"
    page.run(f"{head}.focus()")
    page.press("Enter")
    ascending = [float(text) for text in column(page, 1)]
    assert ascending == sorted(ascending)
    assert page.run(f"{head}.parentElement.getAttribute('aria-sort')") == "ascending"
    page.press("Enter")
    assert [float(text) for text in column(page, 1)] == ascending[::-1]


def test_images_are_sorted_by_the_iou_of_any_class(page, content):
    choose(page, "class-of-iou", "4")
    assert page.run("document.querySelector('#all-images th:last-child').textContent.trim()") == "IoU of 4 sky"
    by_name = {row["name"]: row["iou"][4] for row in content.images}
    names = column(page, 0)
    measured = [by_name[name] for name in names if by_name[name] is not None]
    assert measured == sorted(measured)
    shown = page.run("[...document.querySelectorAll('#all-images td:last-child')].map(cell => cell.textContent)")
    assert [float(text) for text in shown] == pytest.approx(measured, abs=0.0006)


def test_images_are_found_by_name(page):
    page.run(
        "(() => { const box = document.querySelector('#images .filter input'); box.value = 'scene_0003';"
        " box.dispatchEvent(new Event('input')); })()"
    )
    assert page.run("[...document.querySelectorAll('#all-images tbody tr')].filter(row => !row.hidden).length") == 1


def test_doubtful_masks_can_be_taken_away(page):
    page.run(
        "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text));"
        " return 'data:,'; }; HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };"
    )
    page.run("[...document.querySelectorAll('#masks .actions button')].at(-1).click()")
    page.wait("saved.length === 2")
    name, text = page.run("saved")
    assert name == "masks-to-check.csv"
    assert text.splitlines()[0] == "name,confidently_wrong,wrong,mean_iou,confidence"
    assert {line.split(",")[0] for line in text.splitlines()[1:]} == {"scene_0004", "scene_0009", "scene_0014"}
    assert page.errors == []
