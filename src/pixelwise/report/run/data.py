"""What the data hold, from the JSON of the facts: balance of the classes, sizes; and why a mask looks black."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from pixelwise.data.bands import Bands
from pixelwise.data.facts.advice import IMBALANCE_LIMIT
from pixelwise.inference.render import mask_image
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted, length, percent
from pixelwise.report.charts.bars import bars, pie
from pixelwise.report.facts import class_name
from pixelwise.report.html import Html, Section, figure, folded, html, joined, picture, table
from pixelwise.report.numbers import Record, number
from pixelwise.report.run.content import Panel
from pixelwise.report.run.viewer.panel_pictures import shrunk
from pixelwise.report.shares import Share, largest

_FORMAT_SIDE = 480
_SIZES_SHOWN = 5
_BARS = 30
_LEGEND_UNFOLDED = 20


def balance_section(facts: Mapping[str, Record], labels: LabelTable) -> Section | None:
    """How the labelled pixels are shared among the classes: bars, a pie and a table for each split."""
    labelled = {name: each for name, each in facts.items() if any(entry["pixels"] for entry in each["classes"])}
    if not labelled:
        return None
    parts = [
        folded(f"Pixels of {name}", joined([_imbalance(each), _charts(name, each, labels)]), is_open=not i)
        for i, (name, each) in enumerate(labelled.items())
    ]
    head = ["class", *(f"{name}, {of}" for name in labelled for of in ("pixels", "images"))]
    rows = [
        [
            class_name(i, labels),
            *(_share(each, i, of) for each in labelled.values() for of in ("pixel_share", "image_share")),
        ]
        for i in range(labels.num_classes)
    ]
    shares = table(head, rows, caption="Shares of the labelled pixels, and of the images that show the class")
    return Section("balance", "Class distribution", joined([*parts, folded("All shares", shares)]))


def facts_section(
    facts: Mapping[str, Record], labels: LabelTable, provenance: Record, bands: Record | None = None
) -> Section | None:
    """Numbers of images, their sizes, the objects in the masks, and how the training's validation was chosen.

    `bands` say what the images are.
    """
    if not facts:
        return None
    rows = [
        [
            name,
            int(each["image_sizes"]["images"]),
            int(each.get("masks") or 0),
            percent(number(each.get("ignored_share"))),
            _sizes(each["image_sizes"]),
        ]
        for name, each in facts.items()
    ]
    head = ["split", "images", "masks", "ignored pixels", "sizes (width x height)"]
    objects = [_objects(name, each, labels) for name, each in facts.items()]
    splits = table(head, rows, caption="The splits")
    said = [Html(f"<p>Images: {html(Bands.from_json(bands, source='the report').text())}.</p>")] if bands else []
    return Section("data", "Data", joined([*said, splits, _made_split(provenance), *objects]))


def format_section(panels: Sequence[Panel], labels: LabelTable, shown: str = "") -> Section | None:
    """A mask as its file holds it beside the same in colours, so that nobody takes it for an empty picture."""
    if not panels:
        return None
    panel = shrunk(max(panels, key=lambda panel: len(np.unique(panel.truth))), _FORMAT_SIDE)
    counts = np.bincount(panel.truth.reshape(-1), minlength=256)
    present = [int(i) for i in np.flatnonzero(counts[: labels.num_classes])]
    highest = max(present, default=0)
    stretched = np.where(panel.truth == IGNORE, 255, panel.truth.astype(np.float64) * 255 / max(1, highest))
    raw = Image.fromarray(np.where(panel.truth == IGNORE, 255, panel.truth).astype(np.uint8))
    pictures = [
        figure(picture(panel.image, f"The image {panel.name}"), f"The image {panel.name}{_after(shown)}"),
        figure(
            picture(raw, "The mask as a viewer shows it, nearly black"),
            "Its mask as the file holds it: class ids as grays",
        ),
        figure(
            picture(Image.fromarray(stretched.astype(np.uint8)), "The mask with its grays spread out"),
            f"The same, spread out so that {highest} is white",
        ),
        figure(picture(mask_image(panel.truth, labels), "The mask in colours"), "The same in the classes' colours"),
    ]
    said = (
        f"A mask is an 8-bit PNG of one channel; the value of a pixel is the id of its class, here 0 to {highest}. "
        "Viewers draw 0 as black and 255 as white, so that such a file looks black although nothing is missing. "
        "Only the values count; colours come from the class table. 255 means ignored. Never save masks as JPEG or "
        "resize them with smoothing: both invent values."
    )
    rows = [[class_name(i, labels), i, f"{100 * i / 255:.1f} % of white", int(counts[i])] for i in present]
    if counts[IGNORE]:
        rows.append(["ignored", IGNORE, "white", int(counts[IGNORE])])
    legend = table(["class", "value in the file", "looks", "pixels here"], rows, caption="Legend of this mask")
    if len(rows) > _LEGEND_UNFOLDED:
        legend = folded(f"Legend: {len(rows)} values", legend)
    body = joined([Html(f"<p>{said}</p>"), Html(f'<div class="pictures">{joined(pictures)}</div>'), legend])
    return Section("format", "Why a mask looks black", body)


def _after(shown: str) -> str:
    return f". {shown}" if shown else ""


def _charts(split: str, facts: Record, labels: LabelTable) -> Html:
    shares = [
        Share(f"{i} {labels.names[i]}", int(entry["pixels"]), labels.colors[i])
        for i, entry in enumerate(facts["classes"])
    ]
    drawn = bars(largest(shares, _BARS), title=f"Pixels by class in {split}")
    return Html(f'<div class="charts">{drawn}{pie(shares, title=f"Shares of the pixels in {split}")}</div>')


def _imbalance(facts: Record) -> Html:
    ratio = number(facts.get("imbalance_ratio"))
    if not ratio > 0:
        return Html("")
    present = sorted((entry for entry in facts["classes"] if entry["pixels"]), key=lambda entry: -entry["pixels"])
    said = (
        f"Imbalance ratio {ratio:.1f}: {present[0]['name']} has {percent(number(present[0]['pixel_share']))} of the "
        f"labelled pixels, {present[-1]['name']} {percent(number(present[-1]['pixel_share']))}."
    )
    if ratio > IMBALANCE_LIMIT:
        said += f" Above {IMBALANCE_LIMIT} rare classes are easily lost; weights in the loss answer that."
    return Html(f"<p>{html(said)}</p>")


def _made_split(provenance: Record) -> Html:
    """How train and validation of the run came about, where no folders gave them."""
    data = provenance.get("data")
    made = data.get("split") if isinstance(data, Mapping) else None
    if not isinstance(made, Mapping):
        return Html("")
    train, validation = (int(number(made.get(name)) or 0) for name in ("train", "validation"))
    share = percent(validation / (train + validation)) if train + validation else "none"
    said = (
        f"The model was trained on {counted(train, 'pair')} and validated on {validation:,} ({share}); no validation "
        f"was given. How they were told apart: {made.get('how')}. The names stand in split.json of the run."
    )
    return Html(f"<p>{html(said)}</p>")


def _share(facts: Record, class_id: int, of: str) -> str:
    return percent(number(facts["classes"][class_id].get(of)))


def _sizes(sizes: Record) -> str:
    shown = [f"{entry['width']} x {entry['height']}: {entry['images']:,}" for entry in sizes["sizes"][:_SIZES_SHOWN]]
    rest = int(sizes["different"]) - len(shown)
    return ", ".join(shown) + (f" and {counted(rest, 'other size')}" if rest else "")


def _objects(split: str, facts: Record, labels: LabelTable) -> Html:
    rows = [
        [
            class_name(i, labels),
            int(found["count"]),
            *(percent(number(found.get(name))) for name in ("smallest", "median", "largest")),
            *(length(number(found.get(f"typical_{name}_px"))) for name in ("extent", "thickness")),
        ]
        for i, entry in enumerate(facts["classes"])
        if (found := entry.get("regions") or {}).get("count")
    ]
    head = ["class", "regions", "smallest", "median", "largest", "length", "thickness"]
    return (
        folded(f"Objects of {split}", table(head, rows, caption="Areas as shares of the image")) if rows else Html("")
    )
