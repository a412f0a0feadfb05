"""One self-contained HTML file: the skeleton and the parts that every report is put together from.

A page opens from disk without any network request (its Content-Security-Policy forbids them), reads on a phone, in
the dark, by keyboard and on paper, and needs no script for its content.
"""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
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
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n{html(lead)}\n{contents}</header>\n"
        f"<main>\n{body}\n</main>\n<script>{_SCRIPT}{script}</script>\n</body>\n</html>\n"
    )


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

# Severities are told by words too; the colours have a contrast of at least 4.5 to the paper in both schemes.
_STYLE = """
:root { --paper: #fff; --ink: #1c1d1f; --quiet: #55585e; --line: #d3d5d9; --panel: #f5f6f7; --link: #0b5fa5;
  --fault: #b3261e; --warning: #855000; --fact: #0b5fa5; --sound: #00664a; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e8e9eb; --quiet: #b1b5bc; --line: #3b4047; --panel: #1f2226; --link: #7cc0ff;
    --fault: #ff8f86; --warning: #f0b95a; --fact: #7cc0ff; --sound: #5fd3a8; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 2.5rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.25rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); }
code { font: .9em ui-monospace, "SF Mono", Consolas, "Liberation Mono", monospace; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; padding: 0; list-style: none; }
nav a { display: inline-block; padding: .25rem 0; }
.verdict { padding: .75rem 1rem; border-left: .4rem solid; background: var(--panel); font-size: 1.1rem;
  font-weight: 600; max-width: none; }
.fault { color: var(--fault); } .warning { color: var(--warning); } .fact { color: var(--fact); }
.sound { color: var(--sound); } .quiet { color: var(--quiet); }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
caption span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 4.5rem); }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th + th, td + td, th + td { padding-left: .5rem; }
tbody th { font-weight: 400; min-width: 9.5rem; max-width: 13rem; overflow-wrap: anywhere; }
tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper); }
.number { text-align: right; white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .75rem 0; padding: 0 1rem; }
details[open] { padding-bottom: .75rem; }
summary { cursor: pointer; margin: 0 -1rem; padding: .6rem 1rem; border-radius: .4rem; background: var(--panel); }
.findings { list-style: none; margin: 0; padding: 0; }
.findings > li { padding: .75rem 0; border-top: 1px solid var(--line); }
.findings > li:first-child { border-top: 0; }
.findings p { max-width: none; margin: 0; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: .75rem; }
figure { margin: 0; }
.pictures figure { flex: 0 1 17rem; min-width: 0; }
figcaption { color: var(--quiet); font-size: .875rem; margin-top: .35rem; }
img, svg { max-width: 100%; vertical-align: top; }
img, .pie { height: auto; }
img { background: var(--panel); }
.exact { image-rendering: pixelated; }
.none { display: flex; align-items: center; min-height: 8rem; padding: 1rem; border: 2px dashed var(--quiet);
  border-radius: .4rem; font-size: .9rem; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border: 1px solid var(--quiet);
  border-radius: 2px; vertical-align: -.05em; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.key { display: inline-block; margin-right: .75em; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: flex-start; margin-top: .75rem; }
.charts > * { flex: 1 1 18rem; min-width: 0; max-width: 34rem; }
.legend { list-style: none; margin: .75rem 0 0; padding: 0; columns: 11rem auto; font-size: .9rem; }
.legend li { break-inside: avoid; }
.filter input { font: inherit; padding: .35rem .5rem; max-width: 100%; color: inherit; background: var(--paper);
  border: 1px solid var(--quiet); border-radius: .3rem; }
[hidden] { display: none !important; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, .filter { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .wide { overflow: visible; }
  h2, h3, summary { break-after: avoid; }
  figure, tr, .findings > li { break-inside: avoid; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
"""

_SCRIPT = """
for (const box of document.querySelectorAll("[data-filter]")) {
  const items = [...document.querySelectorAll(box.dataset.filter)];
  box.hidden = false;
  box.querySelector("input").addEventListener("input", (event) => {
    const text = event.target.value.trim().toLowerCase();
    for (const item of items) {
      item.hidden = !item.textContent.toLowerCase().includes(text);
      if (text && !item.hidden) item.closest("details")?.setAttribute("open", "");
    }
    const shown = items.filter((item) => !item.hidden).length;
    box.querySelector("output").textContent = text ? `${shown} of ${items.length}` : "";
  });
}
"""
