"""The page at /: one file of HTML, style and script, with the model's classes; it asks nobody but this endpoint."""

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import NamedTuple

from pixelwise.labels import LabelTable, hex_color


class Front(NamedTuple):
    """A page and the headers that go with it."""

    content: bytes
    headers: dict[str, str]


def front_page(labels: LabelTable, shown: str = "") -> Front:
    """The page for a model of these classes; `shown` says how the endpoint makes pictures of its images, if it does."""
    classes = [
        {"name": name, "color": hex_color(color)} for name, color in zip(labels.names, labels.colors, strict=True)
    ]
    style, script = _part("page.css"), _part("page.js")
    data = json.dumps(classes).replace("<", "\\u003c")  # a name cannot end the element
    content = _part("index.html")
    for place, text in (
        ("/*STYLE*/", style),
        ("/*SCRIPT*/", script),
        ("/*CLASSES*/", data),
        ("/*SHOWN*/", escape(shown)),
    ):
        content = content.replace(place, text)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_fingerprint(style)}'",
            f"script-src '{_fingerprint(script)}'",
            "img-src blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Front(content.encode(), headers)


@cache
def _part(name: str) -> str:
    return (files("pixelwise.serving") / "page" / name).read_text(encoding="utf-8")


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
