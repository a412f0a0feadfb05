"""One self-contained HTML file: the skeleton and the parts that every report is put together from.

A page opens from disk without any network request (its Content-Security-Policy forbids them), reads on a phone, in
the dark, by keyboard and on paper, and needs no script for its content. Severities are told by words too; their
colours, in html.css, have a contrast of at least 4.5 to the paper in both schemes.
"""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import NamedTuple

from PIL import Image

_MANY_COLORS = 512
_JPEG_QUALITY = 82


class Html(str):
    """Text that is HTML already; whatever else is put into a page is escaped on the way."""

    __slots__ = ()


class Section(NamedTuple):
    """A part of a page with a heading; `name` is its anchor (`#name`) and unique in the page."""

    name: str
    title: str
    body: Html


def html(content: object) -> Html:
    """`content` itself if it is Html, else its text, escaped."""
    return content if isinstance(content, Html) else Html(escape(str(content)))


def prose(text: str) -> Html:
    """Sentences whose `quoted` parts are code."""
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


def joined(parts: Iterable[object]) -> Html:
    """All parts after each other; those that are not Html are escaped."""
    return Html("\n".join(html(part) for part in parts))


def page(title: str, sections: Sequence[Section], *, lead: object = "", style: str = "", script: str = "") -> Html:
    """A whole document: the title, `lead` (what a hurried reader must know), contents, sections.

    `style` and `script` are of its own, beside those of all pages.
    """
    links = joined(Html(f'<li><a href="#{escape(each.name)}">{escape(each.title)}</a></li>') for each in sections)
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if len(sections) > 1 else ""
    body = joined(
        Html(
            f'<section id="{escape(each.name)}" aria-labelledby="{escape(each.name)}-title">'
            f'<h2 id="{escape(each.name)}-title">{escape(each.title)}</h2>\n{html(each.body)}</section>'
        )
        for each in sections
    )
    return Html(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_POLICY}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="generator" content="Pixelwise">\n'
        f"<title>{escape(title)}</title>\n<style>\n{static('html.css')}{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n{html(lead)}\n{contents}</header>\n"
        f"<main>\n{body}\n</main>\n<script>\n{static('html.js')}{script}</script>\n</body>\n</html>\n"
    )


@cache
def static(name: str) -> str:
    """The text of a style sheet, a script or markup, by its path from this folder."""
    return (files("pixelwise.report") / name).read_text(encoding="utf-8")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, caption: str, texts: int = 1) -> Html:
    """A table; the first cell of a row names it, the first `texts` columns are text and the others numbers.

    Whole numbers are written with separators. A table too wide for the screen is scrolled, by keyboard too.
    """
    columns = "".join(f'<th scope="col"{_side(i, texts)}>{html(cell)}</th>' for i, cell in enumerate(head))
    lines = []
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else html(cell) for cell in row]
        first = f'<th scope="row"{_side(0, texts)}>{cells[0]}</th>'
        lines.append(first + "".join(f"<td{_side(i, texts)}>{cell}</td>" for i, cell in enumerate(cells[1:], 1)))
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return Html(
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f"<caption><span>{escape(caption)}</span></caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def figure(content: object, caption: object) -> Html:
    """A picture or a chart over what it shows."""
    return Html(f"<figure>{html(content)}<figcaption>{html(caption)}</figcaption></figure>")


def picture(image: Image.Image, alt: str) -> Html:
    """An image inside the page: PNG, exact, for few colours (masks, charts) and JPEG for photographs."""
    buffer = io.BytesIO()
    image = image if image.mode in ("L", "P", "RGB") else image.convert("RGB")
    exact = image.getcolors(_MANY_COLORS) is not None
    if exact:
        image.save(buffer, "PNG", optimize=True)
    else:
        # Not optimised: Pillow's buffer for that is too small for a picture of noise.
        image.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    kind, content = ("png", ' class="exact"') if exact else ("jpeg", ""), base64.b64encode(buffer.getvalue()).decode()
    return Html(
        f'<img{kind[1]} src="data:image/{kind[0]};base64,{content}" alt="{escape(alt)}" '
        f'width="{image.width}" height="{image.height}">'
    )


def swatch(color: tuple[int, int, int]) -> Html:
    """A small square of a colour, to stand before the name that it belongs to."""
    return Html('<span class="swatch" style="background:#{:02x}{:02x}{:02x}"></span>'.format(*color))


def folded(summary: object, body: object, *, is_open: bool = False, name: str = "") -> Html:
    """A part that readers fold and unfold; it is printed unfolded."""
    anchor = f' id="{escape(name)}"' if name else ""
    return Html(
        f"<details{anchor}{' open' if is_open else ''}><summary>{html(summary)}</summary>\n{html(body)}</details>"
    )


def filter_box(label: str, selector: str) -> Html:
    """A box for a text that hides the elements of a CSS selector that lack it; shown where scripts run."""
    return Html(
        f'<p class="filter" data-filter="{escape(selector)}" hidden><label>{escape(label)} '
        '<input type="search" autocomplete="off"></label> <output></output></p>'
    )


def _side(column: int, texts: int) -> str:
    return "" if column < texts else ' class="number"'


_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
)
