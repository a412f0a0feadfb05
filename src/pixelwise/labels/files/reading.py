"""Any file that names the classes -> the form of classes.json; which form it has, its name and its content say."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pixelwise.errors import DataError
from pixelwise.labels.files.lines import entries_of_lines
from pixelwise.labels.files.objects import entries_of_json, entries_of_yaml, parsed_json, parsed_yaml
from pixelwise.labels.files.rows import entries_of_rows
from pixelwise.labels.files.text import text_of


class _Form(NamedTuple):
    """How files of one kind are parsed, which may raise ValueError, and what the parsed content lists."""

    kind: str
    expected: str
    parse: Callable[[bytes], Any]
    entries: Callable[[Any, str], Any]


_JSON = _Form("JSON", 'class names such as {"0": "sky", "1": "road"}', parsed_json, entries_of_json)
_YAML = _Form("YAML", "class names such as names: [sky, road]", parsed_yaml, entries_of_yaml)
_CSV = _Form("CSV", "rows such as 0,sky", text_of, entries_of_rows)
_TEXT = _Form("a list of names", "one class a line", text_of, entries_of_lines)
_FORMS: Mapping[str, _Form] = {
    ".json": _JSON, ".yaml": _YAML, ".yml": _YAML, ".csv": _CSV, ".tsv": _CSV,
    ".txt": _TEXT, ".names": _TEXT, ".lst": _TEXT,
}  # fmt: skip


def entries_in(name: str, content: bytes, where: str) -> Any:
    """What the file called `name` lists, as LabelTable.from_json reads it; `where` names it in errors.

    Raises:
        NoClassNames: it speaks of something else than classes.
        DataError: it cannot be read; the message says which line or key, what was found and what was expected.
    """
    form = _form(name, content)
    try:
        parsed = form.parse(content)
    except ValueError as error:
        raise _unreadable(form, where, error) from None
    return form.entries(parsed, where)


def entries_at(path: Path) -> Any:
    """As `entries_in`, of a file on disk."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(_FORMS.get(path.suffix.lower(), _JSON), str(path), error) from None
    return entries_in(path.name, content, str(path))


def _form(name: str, content: bytes) -> _Form:
    form = _FORMS.get(PurePosixPath(name).suffix.lower())
    if form is not None and form is not _TEXT:
        return form
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"{" or (form is None and start == b"["):
        return _JSON
    lines = [line for line in content.splitlines() if line.strip()]
    in_columns = len(lines) > 1 and all(b"\t" in line.strip() for line in lines)
    # "10 20 30<tab>sky" is label_colors.txt, "sky:10,20,30::" labelmap.txt: these are lines
    return _CSV if in_columns and _is_table(lines[0]) else _TEXT


def _is_table(line: bytes) -> bool:
    return b" " not in line.split(b"\t")[0].strip()


def _unreadable(form: _Form, where: str, error: Exception) -> DataError:
    return DataError(
        f"{where}: cannot be read as {form.kind} ({error}). Expected {form.expected}; correct the file or remove it."
    )
