"""Which classes are taken for which: the confusion matrix as heat maps, and its largest entries as a list."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.labels import LabelTable
from pixelwise.phrases import percent, shortened, thousands
from pixelwise.report.confusions import Counts, confused_pairs, occurring, off_diagonal, row_shares
from pixelwise.report.facts import class_name
from pixelwise.report.html import Html, Section, html, joined, picture, swatch, table

MOST_CLASSES = 25
"""Of more classes than these the heat maps show the most confused ones, and a picture shows all."""

_STEPS = 9  # shades, as page.css has them
_PICTURE_SIDE = 512


def confusion_section(confusion: Sequence[Sequence[int]], labels: LabelTable) -> Section:
    """Pairs most confused, counts, and shares of each true class."""
    counts = np.array(confusion, dtype=np.int64).reshape(labels.num_classes, labels.num_classes)
    all_ids = occurring(counts)
    shown = _most_confused_classes(counts, all_ids)
    parts: list[Any] = [_pairs(counts, labels)]
    if len(shown) < len(all_ids):
        parts.append(
            Html(
                f"<p>The heat maps show the {len(shown)} classes with the most wrong pixels of the {len(all_ids)} "
                "that occur; the picture below shows all.</p>"
            )
        )
    maps = joined([_shares_map(counts, shown, labels), _counts_map(counts, shown, labels)])
    parts.append(Html(f'<div class="maps">{maps}</div>'))
    if len(shown) < len(all_ids):
        parts.append(_whole(counts[np.ix_(all_ids, all_ids)]))
    return Section("confusion", "Confusion", joined(parts))


def _most_confused_classes(counts: Counts, class_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    wrong = off_diagonal(counts)
    of_class = (wrong.sum(axis=0) + wrong.sum(axis=1))[class_ids]
    return np.sort(class_ids[np.argsort(-of_class, kind="stable")[:MOST_CLASSES]])


def _pairs(counts: Counts, labels: LabelTable) -> Html:
    pairs = confused_pairs(counts)
    if not pairs:
        return Html("<p>No labelled pixel is wrong.</p>")
    rows: list[list[Any]] = [
        [
            class_name(pair.truth, labels),
            class_name(pair.predicted, labels),
            pair.pixels,
            percent(pair.of_errors),
            percent(pair.of_class),
        ]
        for pair in pairs
    ]
    worst = pairs[0]
    said = (
        f"Most often <strong>{html(labels.names[worst.truth])}</strong> is taken for "
        f"<strong>{html(labels.names[worst.predicted])}</strong>: {percent(worst.of_errors)} of all wrong pixels."
    )
    head = ["truth", "predicted as", "pixels", "of all errors", "of the true class"]
    return joined([Html(f"<p>{said}</p>"), table(head, rows, caption="The pairs most confused", texts=2)])


def _shares_map(counts: Counts, shown: NDArray[np.int64], labels: LabelTable) -> Html:
    """Each row over its sum; rows of classes that are not in the truth are empty."""
    shares = row_shares(counts)[np.ix_(shown, shown)]
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
        f"{html(shortened(labels.names[i], 14))}</span></th>"
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


def _whole(counts: Counts) -> Html:
    # The square root lets shares of a few percent be seen.
    gray = (255 - np.rint(255 * np.sqrt(row_shares(counts)))).astype(np.uint8)
    factor = max(1, _PICTURE_SIDE // len(counts))
    drawn = Image.fromarray(np.kron(gray, np.ones((factor, factor), dtype=np.uint8)))
    caption = (
        f"All {len(counts)} classes that occur, in the order of their ids: rows truth, columns prediction, black "
        "where all pixels of a true class went. Away from the diagonal, dark points are confusions."
    )
    return Html(
        f"<figure>{picture(drawn, 'The whole confusion matrix')}<figcaption>{escape(caption)}</figcaption></figure>"
    )
