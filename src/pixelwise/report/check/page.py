"""What a check found as an HTML page for a person, with the faulty places drawn."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.data.check.report import CheckReport
from pixelwise.data.dataset.channels import IMAGE_SUFFIXES
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.display import Display
from pixelwise.data.facts.sheet import FactSheet
from pixelwise.data.findings import CODES, Finding
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.outputs import write_text
from pixelwise.phrases import and_more, counted
from pixelwise.report.check.drawing import UNKNOWN_COLORS, Drawing, File, drawings
from pixelwise.report.facts import class_name, facts_sections
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
    swatch,
)

DRAWN_PER_CODE = 12
LISTED_PER_CODE = 100
PICTURE_BYTES = 4_000_000
"""All pictures of a page together; base64, as it is in the file."""

_SEVERITIES = (("fault", "faults"), ("warning", "warnings"), ("fact", "notes"))
_TITLES = {
    "faults": "Faults: training would stop or be wrong",
    "warnings": "Warnings: the model would be worse",
    "notes": "Worth knowing",
}
_VALUES_NAMED = 6
_FILTER_FROM = 10


def write_check(
    report: CheckReport, sheet: FactSheet, folder: Path, *, show_bands: Sequence[int] | str | None = None
) -> None:
    """Write the page of `write_check_page` and `folder/check.json`, the report with the facts of `sheet`.

    Raises:
        SettingsError: one of them cannot be written, or `show_bands` are none of the images.
    """
    write_check_page(report, folder, show_bands=show_bands)
    write_text(folder / "check.json", json.dumps(checked_json(report, sheet), indent=2) + "\n")


def checked_json(report: CheckReport, sheet: FactSheet) -> dict[str, Any]:
    """What check.json holds."""
    return {**report.to_json(), "facts": sheet.to_json()}


def write_check_page(report: CheckReport, folder: Path, *, show_bands: Sequence[int] | str | None = None) -> Path:
    """Write `folder/index.html` and say where it is; the files of the findings are read again to be drawn.

    Of each code the first DRAWN_PER_CODE findings are drawn and the first LISTED_PER_CODE listed.

    Raises:
        SettingsError: the page cannot be written, or `show_bands` are none of the images.
    """
    path = folder / "index.html"
    write_text(path, check_page(report, Display.of(report.bands, show_bands)))
    return path


def check_page(report: CheckReport, display: Display | None = None) -> Html:
    """The page as a text, its pictures as `display` says; what cannot be decoded is said in their place."""
    album = _Album(report, display or Display.of(report.bands))
    root = _common_folder(report)
    sections = [
        Section(name, _TITLES[name], _findings(members, album, root))
        for severity, name in _SEVERITIES
        if (members := [finding for finding in report.findings if finding.severity == severity])
    ]
    title = f"Check of {root.name}" if root else "Check of a dataset"
    return page(title, [*sections, *facts_sections(report.facts)], lead=_lead(report, root))


class _Album:
    """The pictures of a page, as many as there is room for."""

    def __init__(self, report: CheckReport, display: Display) -> None:
        self.report, self.labels, self.display = report, report.labels, display
        self.codes_left = len({finding.code for finding in report.findings})
        self.bytes_left = PICTURE_BYTES
        drawn = [finding for members in _by_code(report.findings).values() for finding in members[:DRAWN_PER_CODE]]
        self._files = _roles(report.pairs.values(), {finding.file for finding in drawn})

    def drawn(self, findings: Sequence[Finding]) -> list[Html]:
        """The pictures of the first findings of one code; every code has its part of the room."""
        room, self.codes_left = self.bytes_left // max(1, self.codes_left), self.codes_left - 1
        pictures: list[Html] = []
        for finding in findings[:DRAWN_PER_CODE]:
            content = self._pictures(finding)
            if len(content) > room:
                break
            room -= len(content)
            self.bytes_left -= len(content)
            pictures.append(content)
        return pictures

    def _pictures(self, finding: Finding) -> Html:
        drawn = drawings(finding, self._about(finding), self.labels, self.display)
        figures = "".join(_figure(each, self.labels) for each in drawn)
        return Html(f'<div class="pictures">{figures}</div>' if figures else "")

    def _about(self, finding: Finding) -> list[File]:
        """The file of a finding and the one beside it: the other that is meant, else the rest of its pair."""
        pair = self._files.get(finding.file)
        of_masks = finding.code.startswith(("mask-", "size-", "id-"))
        is_mask = of_masks if pair is None else finding.file == pair.mask
        label_map = pair.label_map if pair else None
        files = [File(finding.file, is_mask, label_map)]
        if finding.other is not None:
            other_is_mask = is_mask and not finding.code.startswith("size-")
            files.append(File(finding.other, other_is_mask, label_map))
        elif pair is not None and is_mask:
            files.append(File(pair.image, False))
        return [file for file in files if _is_picture(file.path)]


def _roles(splits: Iterable[Iterable[Pair]], files: set[Path]) -> dict[Path, Pair]:
    """The pairs that `files` belong to: one pass over all pairs, of which few are kept."""
    found: dict[Path, Pair] = {}
    for pairs in splits if files else ():
        for pair in pairs:
            for path in (pair.image, pair.mask):
                if path in files:
                    found[path] = pair
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()


def _lead(report: CheckReport, root: Path | None) -> Html:
    counts = {name: len(getattr(report, name)) for _, name in _SEVERITIES}
    if report.sound:
        verdict = '<p class="verdict sound">✓ The dataset is sound: no faults.</p>'
    else:
        verdict = (
            f'<p class="verdict fault">✗ {counted(counts["faults"], "fault")}: training cannot start. '
            "Correct what is listed first.</p>"
        )
    also = f"{counted(counts['warnings'], 'warning')}, {counted(counts['notes'], 'note')}."
    where = Html(f"<p>Files are named from <code>{html(root)}</code> on.</p>") if root else ""
    return joined([Html(verdict), Html(f"<p>{also} {html(' '.join(report.basis))}</p>"), where])


def _findings(findings: Sequence[Finding], album: _Album, root: Path | None) -> Html:
    groups = [_group(members, album, root) for members in _by_code(findings).values()]
    selector = f"#{dict(_SEVERITIES)[findings[0].severity]} .findings > li"
    box = filter_box("Show only findings with", selector) if len(findings) >= _FILTER_FROM else ""
    return joined([box, *groups])


def _by_code(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by code, in the order of CODES: folders, files, images, masks, classes."""
    groups: dict[str, list[Finding]] = {code: [] for code in CODES}
    for finding in findings:
        groups[finding.code].append(finding)
    return {code: members for code, members in groups.items() if members}


def _group(findings: Sequence[Finding], album: _Album, root: Path | None) -> Html:
    """All findings of one code; what they expect and the remedy are said once where they agree.

    A kind that most files have is folded to one line with its remedy.
    """
    code, is_common = findings[0].code, album.report.is_common(findings)
    severity, meaning = CODES[code]
    summary = Html(
        f'<strong class="{severity}">{counted(len(findings), severity)}</strong>: '
        f"{html(meaning)} <code>{html(code)}</code>{prose(f'. {findings[0].remedy}') if is_common else ''}"
    )
    drawn = album.drawn(findings)
    shared = {name: _shared(findings, name) for name in ("expected", "remedy")}
    items = [
        _item(finding, shared, drawn[i] if i < len(drawn) else "", root)
        for i, finding in enumerate(findings[:LISTED_PER_CODE])
    ]
    said = [Html(f"<p><strong>{label}:</strong> {prose(shared[name])}</p>") for name, label in _PARTS if shared[name]]
    listed = Html(f'<ul class="findings">{joined(items)}</ul>')
    return folded(summary, joined([*said, listed, _rest(len(findings), drawn)]), is_open=not is_common, name=code)


_PARTS = (("expected", "Expected"), ("remedy", "What to do"))


def _shared(findings: Sequence[Finding], part: str) -> str:
    texts = {getattr(finding, part) for finding in findings}
    return texts.pop() if len(texts) == 1 else ""


def _item(finding: Finding, shared: Mapping[str, str], pictures: object, root: Path | None) -> Html:
    own = [f"{label}: {getattr(finding, name)}" for name, label in _PARTS if not shared[name]]
    details = Html(f'<p class="quiet">{prose(" · ".join(own))}</p>') if own else ""
    text = Html(f"<p><code>{html(_named(finding.file, root))}</code> {prose(finding.found)}</p>")
    return Html(f"<li>{text}{details}{html(pictures)}</li>")


def _rest(count: int, pictures: Sequence[Html]) -> Html:
    """What of a long list is not on the page."""
    drawn = sum(map(bool, pictures))
    said = []
    if len(pictures) < min(count, DRAWN_PER_CODE):
        said.append(f"Pictures of {count - len(pictures):,} more are left out, to keep the page small.")
    elif drawn and count > DRAWN_PER_CODE:
        said.append(f"The first {DRAWN_PER_CODE} are drawn.")
    if count > LISTED_PER_CODE:
        said.append(f"{count - LISTED_PER_CODE:,} more are not listed here; `pixelwise check --json` lists all.")
    return Html(f'<p class="quiet">{html(" ".join(said))}</p>' if said else "")


def _figure(drawing: Drawing, labels: LabelTable) -> Html:
    if drawing.picture is None:
        return figure(Html(f'<div class="none">No picture: the file {html(drawing.problem)}.</div>'), drawing.caption)
    named = drawing.values[:_VALUES_NAMED]
    keys = joined(Html(f'<span class="key">{_value_name(value, labels)}</span>') for value in named)
    content = picture(drawing.picture, alt=f"The {drawing.caption}")
    more = and_more(len(drawing.values) - len(named))
    return figure(content, joined([drawing.caption, Html("<br>"), keys, more]) if named else drawing.caption)


def _value_name(value: int, labels: LabelTable) -> Html:
    if value < labels.num_classes:
        return class_name(value, labels)
    if value == IGNORE:
        return Html(f"{swatch((175, 175, 175))}{IGNORE} ignored (hatched)")
    return Html(f"{swatch(UNKNOWN_COLORS[0])}{value} no class (checked)")


def _common_folder(report: CheckReport) -> Path | None:
    """The folder that all files of the report lie in, if there is any but the root."""
    firsts = [pairs[0].image for pairs in report.pairs.values() if pairs]
    try:
        folder = Path(os.path.commonpath({path.parent for path in [*firsts, *(each.file for each in report.findings)]}))
    except ValueError:  # no files, other drives, absolute beside relative
        return None
    return folder if folder.name else None


def _named(path: Path, root: Path | None) -> str:
    return str(path) if root is None or path == root else path.relative_to(root).as_posix()
