"""Which classes are taken for which: the confusion matrix as heat maps, and its largest entries as a list."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data.advice import percent
from pixelwise.labels import LabelTable
from pixelwise.report.facts import class_name
from pixelwise.report.figures.confusion import thousands
from pixelwise.report.page import Html, Section, html, joined, picture, swatch, table
from pixelwise.scoring.formulas import ratio

MOST_CLASSES = 25
"""Of more classes than these the heat maps show the most confused ones, and a picture shows all."""

PAIRS = 15
_STEPS = 9  # shades, as report.css has them
_PICTURE_SIDE = 512

Counts = NDArray[np.int64]


def confusion_section(confusion: Sequence[Sequence[int]], labels: LabelTable) -> Section:
    """Pairs most confused, counts, and shares of each true class."""
    counts = np.array(confusion, dtype=np.int64).reshape(labels.num_classes, labels.num_classes)
    occurring = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
    shown = _most_confused_classes(counts, occurring)
    parts: list[Any] = [_pairs(counts, labels)]
    if len(shown) < len(occurring):
        parts.append(
            Html(
                f"<p>The heat maps show the {len(shown)} classes with the most wrong pixels of the {len(occurring)} "
                "that occur; the picture below shows all.</p>"
            )
        )
    maps = joined([_shares_map(counts, shown, labels), _counts_map(counts, shown, labels)])
    parts.append(Html(f'<div class="maps">{maps}</div>'))
    if len(shown) < len(occurring):
        parts.append(_whole(counts, occurring))
    return Section("confusion", "Confusion", joined(parts))


def _most_confused_classes(counts: Counts, occurring: NDArray[np.int64]) -> NDArray[np.int64]:
    wrong = _off_diagonal(counts)
    errors = (wrong.sum(axis=0) + wrong.sum(axis=1))[occurring]
    return np.sort(occurring[np.argsort(-errors, kind="stable")[:MOST_CLASSES]])


def _pairs(counts: Counts, labels: LabelTable) -> Html:
    wrong = _off_diagonal(counts)
    total = int(wrong.sum())
    if not total:
        return Html("<p>No labelled pixel is wrong.</p>")
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    listed = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
    rows: list[list[Any]] = [
        [
            class_name(i, labels),
            class_name(j, labels),
            int(wrong[i, j]),
            percent(wrong[i, j] / total),
            percent(wrong[i, j] / counts[i].sum()),
        ]
        for i, j in listed
    ]
    (i, j), share = listed[0], wrong[listed[0]] / total
    said = (
        f"Most often <strong>{html(labels.names[i])}</strong> is taken for <strong>{html(labels.names[j])}</strong>: "
        f"{percent(share)} of all wrong pixels."
    )
    head = ["truth", "predicted as", "pixels", "of all errors", "of the true class"]
    return joined([Html(f"<p>{said}</p>"), table(head, rows, caption="The pairs most confused", texts=2)])


def _shares_map(counts: Counts, shown: NDArray[np.int64], labels: LabelTable) -> Html:
    """Each row over its sum; rows of classes that are not in the truth are empty."""
    shares = np.nan_to_num(ratio(counts, counts.sum(axis=1, keepdims=True)))[np.ix_(shown, shown)]
    texts = [[f"{100 * share:.0f}" if share >= 0.005 else "" for share in row] for row in shares]
    note = "Row-normalised, in %: where the pixels of each true class went. The diagonal is the recall."
    return _heat_map("Shares of the true class", note, shares, texts, class_ids=shown, labels=labels)


def _counts_map(counts: Counts, shown: NDArray[np.int64], labels: LabelTable) -> Html:
    part = counts[np.ix_(shown, shown)]
    largest = max(1, int(part.max(initial=0)))
    # Logarithmic: the largest class would leave all others pale.
    shades = np.log1p(part) / np.log1p(largest)
    texts = [[thousands(int(count)) if count else "" for count in row] for row in part]
    note = "K: thousands, M: millions, B: thousands of millions. Shades are logarithmic."
    return _heat_map("Pixels", note, shades, texts, class_ids=shown, labels=labels)


def _heat_map(
    title: str,
    note: str,
    shades: NDArray[np.float64],
    texts: list[list[str]],
    *,
    class_ids: NDArray[np.int64],
    labels: LabelTable,
) -> Html:
    """Rows are the truth, columns the prediction; `shades` from 0 to 1."""
    steps = np.ceil(np.clip(shades, 0, 1) * _STEPS - 1e-9).astype(int)
    head = "".join(
        f'<th scope="col" title="{escape(labels.names[i])}">{swatch(labels.colors[i])}<span>{i} '
        f"{html(_short(labels.names[i]))}</span></th>"
        for i in class_ids
    )
    lines = []
    for row, i in enumerate(class_ids):
        cells = "".join(
            f'<td class="h{step}{" hit" if row == column else ""}">{text}</td>'
            for column, (step, text) in enumerate(zip(steps[row], texts[row], strict=True))
        )
        lines.append(f'<tr><th scope="row">{class_name(int(i), labels)}</th>{cells}</tr>')
    return Html(
        f'<div class="map"><h3>{escape(title)}</h3><p class="quiet">Rows: truth; columns: prediction. '
        f"{escape(note)}</p>"
        f'<div class="wide" role="region" aria-label="{escape(title)}" tabindex="0"><table class="heat">'
        f'<thead><tr><th scope="col">truth</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></div>"
    )


def _whole(counts: Counts, occurring: NDArray[np.int64]) -> Html:
    part = counts[np.ix_(occurring, occurring)]
    shares = np.nan_to_num(ratio(part, part.sum(axis=1, keepdims=True)))
    # The square root lets shares of a few percent be seen.
    gray = (255 - np.rint(255 * np.sqrt(shares))).astype(np.uint8)
    factor = max(1, _PICTURE_SIDE // len(occurring))
    drawn = Image.fromarray(np.kron(gray, np.ones((factor, factor), dtype=np.uint8)))
    caption = (
        f"All {len(occurring)} classes that occur, in the order of their ids: rows truth, columns prediction, black "
        "where all pixels of a true class went. Away from the diagonal, dark points are confusions."
    )
    return Html(
        f"<figure>{picture(drawn, 'The whole confusion matrix')}<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _off_diagonal(counts: Counts) -> Counts:
    return counts * (1 - np.eye(len(counts), dtype=np.int64))


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"
