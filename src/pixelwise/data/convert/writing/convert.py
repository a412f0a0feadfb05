"""Write a conversion as a dataset folder: in parallel, resumable, and in view only when it is complete."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.menu import FORMATS, unknown_format
from pixelwise.data.convert.source import Source, open_source
from pixelwise.data.convert.writing.account import accounted
from pixelwise.data.convert.writing.copying import copied
from pixelwise.data.convert.writing.journal import FOLDER, Done, Journal
from pixelwise.data.convert.writing.naming import placed
from pixelwise.data.convert.writing.report import ConversionReport
from pixelwise.data.convert.writing.splitting import Unit, divide
from pixelwise.data.dataset.channels import SPLITS
from pixelwise.data.findings import FileFault, Finding
from pixelwise.errors import DataError, Interrupted, SettingsError, Unwritable
from pixelwise.labels import MAX_CLASSES, LabelTable
from pixelwise.outputs import whole
from pixelwise.workers import Progress, available_cores, in_order

_MAX_WORKERS = 8


def convert(
    form: str,
    source: Path,
    dataset: Path,
    *,
    options: Options,
    validation_share: float = 0.2,
    seed: int = 0,
    progress: Progress | None = None,
) -> ConversionReport:
    """Convert `source`, a folder or an archive in the layout `form`, into a new dataset folder.

    Images are copied as they are where a dataset may have their type. A source without train or without validation
    is divided, stratified by class. Items that cannot be converted are left out and reported. Interrupted at any
    point, the same call goes on where it stopped and ends in the same bytes. `progress` gets (done, all).

    Raises:
        SettingsError: unknown `form`, an option that it has no use for, or `validation_share` outside 0 to 1.
        DataError: `source` is not of this layout or does not say enough; `dataset` holds something else.
        Interrupted: Ctrl-C.
    """
    settings = _settings(form, options) | _division(validation_share, seed)
    _require_apart(source, dataset)
    with open_source(source, by_name=FORMATS[form].by_name) as opened:
        conversion = _conversion(form, opened, options)
        items, left_out, notes = placed(conversion.items, opened)
        with Journal.open(dataset, _key(form, source, settings, conversion)) as journal:
            write = partial(_written, source=opened, labels=conversion.labels, dataset=dataset)
            left_out += _stage(items, write, journal=journal, progress=progress)
    done = {place: journal.done[place] for place in items if place in journal.done}
    with _abandoned_if_refused(source, dataset, left_out):
        objects, said = accounted(done, conversion.orphans)
        splits, divided = _divided(items, done, settings)
    report = ConversionReport(
        form,
        source.resolve().name,
        dataset,
        _published(done, splits, dataset),
        conversion.labels,
        (*conversion.notes, *notes, *said, *divided),
        tuple(_relative(finding, source) for finding in left_out),
        settings,
        objects,
    )
    return _finished(report)


def _settings(form: str, options: Options) -> dict[str, Any]:
    """What was asked for, as JSON holds it; SettingsError where the format has no use for it."""
    if form not in FORMATS:
        raise SettingsError(unknown_format(form))
    for name in ("images", "masks", "attribute"):
        if getattr(options, name) is not None and name not in FORMATS[form].accepts:
            useful = ", ".join(other for other in FORMATS if name in FORMATS[other].accepts)
            raise SettingsError(f"The format {form!r} has no use for {name}, which is for {useful}. Leave it out.")
    given = {name: value for name, value in vars(options).items() if value is not None}
    return given | ({"classes": options.classes.to_json()} if options.classes is not None else {})


def _division(validation_share: float, seed: int) -> dict[str, Any]:
    if not 0 < validation_share < 1:
        raise SettingsError(f"validation_share is {validation_share}, expected a number between 0 and 1.")
    return {"validation_share": validation_share, "seed": seed}


def _require_apart(source: Path, dataset: Path) -> None:
    if dataset.resolve().is_relative_to(source.resolve()):
        raise DataError(f"{dataset}: lies in the source {source}, which is never changed. Give a folder elsewhere.")


def _conversion(form: str, source: Source, options: Options) -> Conversion:
    conversion = FORMATS[form].read(source, options)
    num_classes = conversion.labels.num_classes
    if not 2 <= num_classes <= MAX_CLASSES:
        raise DataError(
            f"{source.path}: has {num_classes} classes, expected 2 to {MAX_CLASSES}, the background included. "
            "Give a table of the classes wanted with --classes."
        )
    if options.num_classes not in (None, num_classes):
        raise SettingsError(
            f"num_classes is {options.num_classes}, but {source.path} has {num_classes} classes. Leave num_classes "
            "out, or give a table of the classes wanted with --classes."
        )
    return conversion


def _key(form: str, source: Path, settings: Mapping[str, Any], conversion: Conversion) -> str:
    """A digest that two conversions share when one may continue the other."""
    listed = [(item.name, item.image, item.split) for item in conversion.items]
    identity = [form, source.resolve().name, settings, conversion.labels.to_json(), listed]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _stage(
    items: Mapping[str, Item],
    write: Callable[[str, Item], Done],
    *,
    journal: Journal,
    progress: Progress | None,
) -> list[Finding]:
    """Write every item that the journal lacks and note it there; what could not be converted is returned."""
    findings = []
    missing = [place for place in items if place not in journal.done]

    def outcome(place: str) -> Done | Finding:
        try:
            return write(place, items[place])
        except FileFault as error:
            return error.finding

    outcomes = in_order(outcome, missing, workers=min(_MAX_WORKERS, available_cores()))
    try:
        for count, (place, found) in enumerate(zip(missing, outcomes, strict=True), len(items) - len(missing) + 1):
            if isinstance(found, Finding):
                findings.append(found)
            else:
                journal.add(place, found)
            if progress is not None:
                progress(count, len(items))
    except KeyboardInterrupt:
        raise Interrupted(f"{len(journal.done)} of {len(items)} images done. Run it again to continue.") from None
    return findings


def _written(place: str, item: Item, *, source: Source, labels: LabelTable, dataset: Path) -> Done:
    """Write an item below DATASET/.conversion."""
    copy = copied(item, source, labels)
    image, mask = _staged(dataset, place, copy.suffix)
    try:
        _write(image, copy.image)
        _write(mask, copy.mask)
    except Unwritable as error:
        raise Unwritable(f"{error} Then run it again to continue.") from None
    return Done(copy.suffix, copy.pixels, copy.objects)


def _staged(dataset: Path, place: str, suffix: str) -> tuple[Path, Path]:
    """Where image and mask of an item wait until all are done."""
    return dataset / FOLDER / "images" / f"{place}{suffix}", dataset / FOLDER / "masks" / f"{place}.png"


def _write(path: Path, content: bytes) -> None:
    with whole(path) as temporary:
        temporary.write_bytes(content)


def _divided(
    items: Mapping[str, Item], done: Mapping[str, Done], settings: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """The split of every item that is done, and notes."""
    units = [Unit(items[place].name, items[place].split, entry.classes) for place, entry in done.items()]
    return divide(units, validation_share=settings["validation_share"], seed=settings["seed"])


@contextmanager
def _abandoned_if_refused(source: Path, dataset: Path, left_out: Sequence[Finding]) -> Iterator[None]:
    """Where what is done makes no dataset, nothing stays behind, and the error says what was left out before."""
    try:
        yield
    except DataError as error:
        shutil.rmtree(dataset / FOLDER)
        with suppress(OSError):  # it holds something hidden
            dataset.rmdir()
        first = f" {len(left_out)} were left out, the first: {left_out[0]}" if left_out else ""
        raise DataError(f"{source}: {error}{first}") from None


def _published(done: Mapping[str, Done], splits: Sequence[str], dataset: Path) -> dict[str, int]:
    """Move every item into its split; {split: images}."""
    for (place, entry), split in zip(done.items(), splits, strict=True):
        _publish(place, entry.suffix, dataset, split=split)
    return {split: splits.count(split) for split in SPLITS if split in splits}


def _publish(place: str, suffix: str, dataset: Path, *, split: str) -> None:
    """Move an item into its split; one that an interrupted run has moved already stays."""
    name = place.partition("/")[2]
    final = (dataset / split / f"{name}{suffix}", dataset / f"{split}_annotation" / f"{name}.png")
    for waiting, path in zip(_staged(dataset, place, suffix), final, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            waiting.replace(path)
        except FileNotFoundError:
            if not path.exists():
                message = f"{path}: was removed since the conversion was interrupted. Remove {dataset}, then convert."
                raise DataError(message) from None


def _relative(finding: Finding, source: Path) -> Finding:
    inside = finding.file.is_relative_to(source)
    return finding._replace(file=finding.file.relative_to(source)) if inside else finding


def _finished(report: ConversionReport) -> ConversionReport:
    """Write the class names and the account of the conversion, then remove what was there to continue it."""
    dataset = report.dataset
    classes = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in report.labels.to_json())
    account = json.dumps(report.to_json(), indent=2, ensure_ascii=False)
    for name, text in (("classes.json", f"[\n{classes}\n]\n"), ("conversion.json", f"{account}\n")):
        # A name of a file may hold half a character; escaped, it is JSON as it was in its source.
        _write(dataset / FOLDER / name, text.encode(errors="backslashreplace"))
        (dataset / FOLDER / name).replace(dataset / name)
    # The journal goes last: without it, what is left could not be told from a stranger's folder.
    for folder in ("images", "masks"):
        shutil.rmtree(dataset / FOLDER / folder, ignore_errors=True)
    shutil.rmtree(dataset / FOLDER)
    return report
