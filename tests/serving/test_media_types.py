import pytest

from pixelwise.serving.media_types import MediaType, parse_media_type, wanted

AVAILABLE = ["image/png", "application/json", "application/x-npy"]
DEFAULT = MediaType("image/png")


def test_parameters_follow_the_semicolon():
    assert parse_media_type('Image/PNG; Overlay=TRUE ;opacity="0.25"; x') == (
        "image/png", {"overlay": "TRUE", "opacity": "0.25", "x": "true"},
    )  # fmt: skip
    assert parse_media_type("image/jpeg") == ("image/jpeg", {})


def test_a_switch_is_on_when_it_is_there_and_not_false():
    switches = [parse_media_type(f"image/png{text}").switch("a") for text in ("", ";a", ";a=true", ";a=1", ";a=false")]
    assert switches == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("image/*", "image/png"),
        ("application/*", "application/json"),
        ("application/x-npy;q=0.5, application/json;q=0.9", "application/json"),
        ("text/html, application/x-npy", "application/x-npy"),
        ("*/*, application/x-npy", "application/x-npy"),  # the more exact of two of equal quality
        ("application/json;q=0, application/*", "application/x-npy"),
        ("image/png;q=0, */*", "application/json"),
        ("image/jpeg", None),
        ("text/*", None),
        ("image/png;q=0", None),
    ],
)
def test_the_reply_is_what_the_header_asks_for_most(accept, name):
    chosen = wanted(accept, AVAILABLE, default=DEFAULT)
    assert (chosen and chosen.name) == name
