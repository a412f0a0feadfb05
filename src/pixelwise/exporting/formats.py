"""What a model can be exported to: each format writes a file and runs it; the EXPORT_FORMATS menu."""

import io
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.data.decoders.deep import PixelArray
from pixelwise.errors import MissingExtra
from pixelwise.exporting.graph import INPUT, OUTPUTS, DeployedGraph, trace, use_region_pooling

Runner = Callable[[PixelArray], tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""Images (N, C, H, W) of the model's depth -> class ids (N, H, W) and logits (N, K, H, W), by the exported file."""

# Read by ONNX Runtime from 1.14 on, TensorRT from 8.6 on and OpenVINO.
OPSET = 18


class ExportFormat(NamedTuple):
    """A kind of file."""

    name: str
    packages: tuple[str, ...]  # what made it, for the certificate
    require: Callable[[], None]  # raises MissingExtra
    write: Callable[[DeployedGraph, tuple[int, int] | None, Path, Mapping[str, str]], None]
    open: Callable[[Path], Runner]


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise MissingExtra("export", "Exporting to ONNX") from None


def _write_onnx(graph: DeployedGraph, size: tuple[int, int] | None, path: Path, facts: Mapping[str, str]) -> None:
    use_region_pooling(graph)
    program = trace(graph, size)
    axes = {0: "batch"} | ({2: "height", 3: "width"} if size is None else {})
    # onnxscript under torch 2.8 prints how many rules it applied; what is printed belongs to `--json`.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        # PyTorch's exporter warns of its own use of what PyTorch deprecates; users can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        onnx_program = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: axes},
            verbose=False,
        )
    assert onnx_program is not None  # a TorchScript export gives None; this is none
    onnx_program.model.metadata_props.update(facts)
    onnx_program.save(path, external_data=False)


def _open_onnx(path: Path) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: PixelArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        class_ids, logits = session.run(list(OUTPUTS), {INPUT: images})
        return class_ids, logits

    return run


def _write_program(graph: DeployedGraph, size: tuple[int, int] | None, path: Path, facts: Mapping[str, str]) -> None:
    with path.open("wb") as file:  # given a name, torch.export complains of any but *.pt2
        torch.export.save(trace(graph, size), file, extra_files=dict(facts))


def _open_program(path: Path) -> Runner:
    with path.open("rb") as file:
        module: Any = torch.export.load(file).module()

    def run(images: PixelArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        with torch.inference_mode():
            class_ids, logits = module(torch.from_numpy(images))
        return class_ids.numpy(), logits.numpy()

    return run


EXPORT_FORMATS: dict[str, ExportFormat] = {
    ".onnx": ExportFormat("ONNX", ("onnx", "onnxscript", "onnxruntime"), _require_onnx, _write_onnx, _open_onnx),
    ".pt2": ExportFormat("torch.export", (), lambda: None, _write_program, _open_program),
}
"""File suffix -> format."""
