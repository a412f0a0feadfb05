"""Export a model to a file for another runtime; it is put in place only if it gives what the model gives."""

import hashlib
import importlib.metadata
import json
import re
from pathlib import Path

from pixelwise.bundle import Bundle, load_bundle
from pixelwise.errors import ModelError, SettingsError
from pixelwise.exporting.certificate import Certificate
from pixelwise.exporting.formats import EXPORT_FORMATS, ExportFormat
from pixelwise.exporting.graph import deployed_graph
from pixelwise.exporting.parity import SIZES, Parity, measure
from pixelwise.outputs import whole
from pixelwise.phrases import first_line

_LARGEST_SIDE = 16384


def export(model: Path | str, output: Path | str, *, size: tuple[int, int] | None = None) -> Certificate:
    """Write `model` as the file `output` (.onnx or .pt2) and its certificate as `output`.json.

    The file is run on images of several sizes and compared with the model before it takes its name.

    Args:
        model: a run, a bundle folder or a model.tar.gz.
        output: the new file; its suffix chooses the format. Older ones of its name are replaced.
        size: (height, width) of the only images that the file shall take; any size by default.

    Raises:
        ModelError: the model cannot be loaded or traced, or the file does not give what the model gives.
        SettingsError: the suffix or the size cannot be used, or `output` cannot be written.
        MissingExtra: the packages of `pixelwise[export]` are not installed.
    """
    path = Path(output)
    form = _format_of(path)
    _check_size(size)
    form.require()
    bundle = load_bundle(Path(model))
    with whole(_beside(path)) as paper, whole(path) as temporary:
        _write(form, bundle, size, temporary)
        parity = _proved(form, bundle, size, temporary)
        content = temporary.read_bytes()
        certificate = Certificate(
            path=path,
            format=form.name,
            size=size,
            sha256=hashlib.sha256(content).hexdigest(),
            num_bytes=len(content),
            bundle=bundle,
            parity=parity,
            versions=_versions(form),
        )
        paper.write_text(json.dumps(certificate.to_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return certificate


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of a text such as 512x768.

    Raises:
        SettingsError: it is no size.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip())
    if match is None:
        raise SettingsError(f"size is {text!r}, expected HEIGHTxWIDTH in pixels, such as 512x768.")
    return int(match[1]), int(match[2])


def _format_of(path: Path) -> ExportFormat:
    form = EXPORT_FORMATS.get(path.suffix.lower())
    if form is None:
        known = " or ".join(f"{suffix} ({known.name})" for suffix, known in EXPORT_FORMATS.items())
        raise SettingsError(f"{path}: ends in {path.suffix or 'no suffix'!r}, expected {known}. Rename the output.")
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder, expected a file. Give another output.")
    return form


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and not all(1 <= side <= _LARGEST_SIDE for side in size):
        raise SettingsError(f"size is {size[0]}x{size[1]}, expected sides of 1 to {_LARGEST_SIDE} pixels.")


def _beside(path: Path) -> Path:
    """Where the certificate goes: not model.json, which may be the bundle's own."""
    return path.with_name(f"{path.name}.json")


def _write(form: ExportFormat, bundle: Bundle, size: tuple[int, int] | None, path: Path) -> None:
    facts = {
        "classes": json.dumps(bundle.labels.to_json()),
        "temperature": str(bundle.temperature),
        "bands": json.dumps(bundle.bands.to_json()),
    }
    graph = deployed_graph(bundle)
    try:
        form.write(graph, size, path, facts)
    except OSError:
        raise  # no room or no permission: `whole` says so
    except Exception as error:  # the exporters have many kinds of exceptions, most of them private
        network = f"{bundle.settings.algorithm} on {bundle.settings.backbone}"
        remedy = "Give a fixed --size, such as 512x512." if size is None else "Choose another backbone."
        raise ModelError(f"{network} cannot be exported to {form.name} ({first_line(error)}). {remedy}") from error


def _proved(form: ExportFormat, bundle: Bundle, size: tuple[int, int] | None, path: Path) -> Parity:
    sizes = SIZES if size is None else tuple((count, *size) for count in (1, 3))
    parity = measure(form.open(path), bundle, sizes)
    fault = parity.fault()
    if fault is not None:
        raise ModelError(
            f"The {form.name} file does not give what the model gives: {fault}. Nothing was written. "
            "Install other versions of the packages of pixelwise[export], or export to another format."
        )
    return parity


def _versions(form: ExportFormat) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("pixelwise", "torch", "timm", *form.packages)}
