import base64
import io

import numpy as np
import pytest
from PIL import Image

from pixelwise.report.html import (
    Html,
    Section,
    figure,
    filter_box,
    folded,
    html,
    joined,
    page,
    picture,
    prose,
    table,
)


def decoded(image_element):
    kind, content = image_element["src"].removeprefix("data:image/").split(";base64,")
    return kind, Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_page_is_well_formed_and_stands_alone(read):
    found = read(page("Title", [Section("one", "First", Html("<p>a</p>")), Section("two", "Second", Html("b"))]))
    assert found.all("html") == [{"lang": "en"}]
    assert [link["href"] for link in found.all("a")] == ["#one", "#two"]
    assert [section["id"] for section in found.all("section")] == ["one", "two"]


def test_a_page_forbids_itself_the_network(read):
    policies = [meta for meta in read(page("Title", [])).all("meta") if meta.get("http-equiv")]
    assert policies[0]["content"].startswith("default-src 'none'; img-src data:;")


def test_a_page_fits_a_phone_and_the_dark():
    document = page("Title", [])
    assert 'name="viewport" content="width=device-width' in document
    assert "prefers-color-scheme: dark" in document
    assert "@media print" in document


def test_whatever_is_not_html_is_escaped(read):
    evil = "<script>alert('x')</script>\"&"
    parts = [table([evil], [[evil]], caption=evil), folded(evil, evil), figure(evil, evil), filter_box(evil, evil)]
    document = page(evil, [Section("one", evil, joined([*parts, evil]))], lead=evil)
    found = read(document)
    assert len(found.all("script")) == 1  # the page's own
    assert found.text.count(evil) >= 10


def test_html_is_not_escaped_twice():
    assert html(html("a < b")) == "a &lt; b"


def test_quoted_words_of_a_sentence_are_code():
    assert prose("Use `--fix` <now>.") == "Use <code>--fix</code> &lt;now&gt;."


def test_a_table_names_rows_and_columns_and_separates_thousands(read):
    found = read(table(["class", "pixels"], [["road", 1234567]], caption="Pixels"))
    assert [cell["scope"] for cell in found.all("th")] == ["col", "col", "row"]
    assert "1,234,567" in found.text
    assert found.all("td") == [{"class": "number"}]


def test_a_wide_table_is_reached_by_keyboard(read):
    assert read(table(["a"], [], caption="Pixels")).all("div")[0]["tabindex"] == "0"


def test_a_picture_of_few_colours_is_kept_exactly(read):
    colors = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    element = read(picture(Image.fromarray(colors), 'a "mask"')).all("img")[0]
    kind, image = decoded(element)
    assert kind == "png"
    assert np.array_equal(np.asarray(image), colors)
    assert element["alt"] == 'a "mask"'
    assert (element["width"], element["height"]) == ("2", "1")


def test_a_photograph_is_a_jpeg(read):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    kind, image = decoded(read(picture(Image.fromarray(noise), "noise")).all("img")[0])
    assert kind == "jpeg"
    assert image.size == (64, 64)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_may_have_any_mode(read, mode):
    kind, image = decoded(read(picture(Image.new(mode, (3, 2)), "plain")).all("img")[0])
    assert (kind, image.size) == ("png", (3, 2))


def test_a_folded_part_needs_no_script(read):
    found = read(folded("More", "content", is_open=True, name="more"))
    assert found.all("details") == [{"id": "more", "open": None}]
    assert len(found.all("summary")) == 1
