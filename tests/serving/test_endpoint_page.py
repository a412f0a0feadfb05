"""The page at /: what it may do, and, in a real browser, that it does it."""

import base64
import io
import re
import socket
import threading

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from pixelwise.labels import LabelTable
from pixelwise.serving.app import create_app
from pixelwise.serving.web_page import front_page
from tests.report.browser import CHROMIUM, Browser
from tests.serving.conftest import EXPECTED, PIXELS, encoded, until


def test_the_page_asks_nobody_but_the_endpoint(predictor):
    answer = TestClient(create_app(predictor)).get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(https?:)?//[a-z]", answer.text)


def test_a_class_name_cannot_break_out_of_the_page():
    page = front_page(LabelTable.named(["</script><script>alert(1)</script>", "b"])).content.decode()
    assert "<script>alert" not in page
    assert page.count("</script>") == 2


@pytest.fixture
def address(predictor):
    config = uvicorn.Config(create_app(predictor), log_config=None, ws="none")
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(30)
    listener.close()


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    browser = Browser(tmp_path)
    yield browser
    browser.close()


def opened(browser, address):
    browser.call("Page.navigate", url=address)
    browser.wait("document.readyState === 'complete' && location.protocol === 'http:'")


def drop(browser, content, name):
    """A file lands on the page, as the browser itself would report it."""
    encoded_content = base64.b64encode(content).decode()
    browser.run(
        f"""(() => {{
          const bytes = Uint8Array.from(atob("{encoded_content}"), (c) => c.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "{name}"));
          document.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
        }})()"""
    )


def mask_alpha(browser):
    """Which pixels of the mask are drawn, (H, W)."""
    values = browser.run(
        """(() => {
          const copy = document.createElement("canvas");
          [copy.width, copy.height] = [mask.width, mask.height];
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(mask, 0, 0);
          return [...context.getImageData(0, 0, copy.width, copy.height).data].filter((_, i) => i % 4 === 3);
        })()"""
    )
    return (np.array(values) > 0).astype(np.uint8).reshape(16, 32)


def test_a_dropped_image_shows_its_mask_its_areas_and_can_be_downloaded(browser, address, tmp_path):
    opened(browser, address)
    drop(browser, encoded(PIXELS), "photo.png")
    browser.wait("document.getElementById('status').textContent.startsWith('photo.png: 32 x 16 px')")
    cells = browser.run("[...document.getElementById('classes').rows].map((row) => row.innerText.trim().split(/\\s+/))")
    assert cells == [["dark", "87.5", "%", "448"], ["bright", "12.5", "%", "64"]]

    assert mask_alpha(browser).all()
    browser.run("document.querySelector('#classes input').click()")  # the dark ones are no longer shown
    assert np.array_equal(mask_alpha(browser), EXPECTED)
    browser.press("n")
    assert not mask_alpha(browser).any()
    browser.press("a")
    assert mask_alpha(browser).all()

    assert browser.run("getComputedStyle(mask).opacity") == "0.6"
    browser.press("]")
    assert browser.run("getComputedStyle(mask).opacity") == "0.65"
    browser.press("m")
    assert browser.run("getComputedStyle(mask).opacity") == "0"

    saved = tmp_path / "downloads"
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(saved))
    browser.press("d")
    until((saved / "photo_mask.png").exists)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO((saved / "photo_mask.png").read_bytes()))), EXPECTED)
    browser.run("document.getElementById('save-overlay').click()")
    until((saved / "photo_overlay.png").exists)
    view = np.asarray(Image.open(io.BytesIO((saved / "photo_overlay.png").read_bytes())).convert("L"))
    assert np.array_equal(view, PIXELS)  # the mask is off

    assert {url for url in browser.requests if not url.startswith(("blob:", "data:"))} == {
        address, f"{address}invocations",
    }  # fmt: skip
    assert browser.errors == []


PHOTO = """(() => {
  const { data } = photo.getContext("2d").getImageData(0, 0, photo.width, photo.height);
  return [...data].filter((_, i) => i % 4 === 0);
})()"""


def test_an_image_that_browsers_do_not_decode_is_shown_as_the_endpoint_shows_it(browser, address):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "TIFF")
    opened(browser, address)
    drop(browser, file.getvalue(), "photo.tif")
    browser.wait("document.getElementById('status').textContent.startsWith('photo.tif: 32 x 16 px')")
    assert np.array_equal(np.array(browser.run(PHOTO)).reshape(16, 32), PIXELS)
    assert "cannot show" not in browser.run("document.getElementById('status').textContent")
    assert browser.run("getComputedStyle(document.getElementById('shown')).display") == "none"


def test_the_page_says_how_images_that_are_no_photographs_are_shown():
    page = front_page(
        LabelTable.named(["a", "b"]), "Shown: band 1 in gray, stretched from 0..4095 <b>"
    ).content.decode()
    assert '<p id="shown">Shown: band 1 in gray, stretched from 0..4095 &lt;b&gt;</p>' in page


def test_a_file_that_is_no_image_is_said_to_be_none_and_the_next_is_shown(browser, address):
    opened(browser, address)
    drop(browser, b"garbage", "notes.txt")
    browser.wait("document.getElementById('status').classList.contains('wrong')")
    assert "not an image" in browser.run("document.getElementById('status').textContent")
    drop(browser, encoded(PIXELS), "photo.png")
    browser.wait("document.getElementById('status').textContent.startsWith('photo.png')")
    assert not browser.run("document.getElementById('status').classList.contains('wrong')")


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_readers_scheme_and_fits_a_phone(browser, address, dark, tmp_path):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.call("Emulation.setEmulatedMedia", features=[scheme])
    browser.resize(360, 740)
    opened(browser, address)
    drop(browser, encoded(np.kron(PIXELS, np.ones((40, 40), np.uint8))), "large.png")
    browser.wait("document.getElementById('status').textContent.startsWith('large.png: 1280 x 640 px')")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    red = int(re.findall(r"\d+", browser.run("getComputedStyle(document.body).backgroundColor"))[0])
    assert (red < 80) == dark
    browser.screenshot(tmp_path / "page.png")
