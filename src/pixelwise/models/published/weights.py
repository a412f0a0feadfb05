"""Published segmentation weights: a file or a folder of them -> the tensors of a network here that they fit."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.menus import HEADS
from pixelwise.models.backbones import ALIASES
from pixelwise.models.pretrained import adapt_input, plain_name, read_tensors, shape_text
from pixelwise.models.published.layouts import AUXILIARY, HEAD, TRUNK, Layout, layout_of
from pixelwise.models.segmenter import Segmenter
from pixelwise.phrases import listed
from pixelwise.settings import Settings

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
"""Endings of files of weights."""

_BEFORE_NUMBER = re.compile(r"\D+(?=\d)")

_CONFIG, _FOLDER_FILES = "config.json", ("model.safetensors", "pytorch_model.bin")


class _Found(NamedTuple):
    """A tensor under a name of ours, and the tensors of the file that it was made of."""

    tensor: Tensor
    sources: tuple[str, ...]


class _Part(NamedTuple):
    """What a part of the network takes: of its tensors, by name; how many it has; why it does not take all."""

    taken: dict[str, _Found]
    size: int
    lack: str = ""

    @property
    def text(self) -> str:
        """In words: "318 of 318", "0 of 6: the file has none"."""
        return f"{len(self.taken)} of {self.size}{f': {self.lack}' if self.lack else ''}"


def is_published(path: Path) -> bool:
    """Whether `path` is a file of weights or a folder of Hugging Face's format, not a bundle."""
    if path.is_dir():
        return (path / _CONFIG).is_file() and not (path / "model.json").exists() and not (path / "model").is_dir()
    return path.suffix.lower() in SUFFIXES


def read_published(path: Path) -> "PublishedWeights":
    """The weights in a file (safetensors or state dict) or in a folder with config.json and one file of weights.

    Raises:
        ModelError: there are none, or they cannot be read; nothing is executed.
    """
    if not path.is_dir():
        return PublishedWeights(path, _unwrapped(read_tensors(path, meant_for="start_from")))
    file = next((path / name for name in _FOLDER_FILES if (path / name).is_file()), None)
    if file is None:
        raise ModelError(
            f"{path}: holds {_CONFIG} but neither {' nor '.join(_FOLDER_FILES)}. Give a folder with the weights in one "
            "file; weights that are split over several must be saved as one first."
        )
    return PublishedWeights(file, _unwrapped(read_tensors(file, meant_for="start_from")))


@dataclass(frozen=True, eq=False)
class PublishedWeights:
    """A trained network of somebody else: its file and its tensors."""

    path: Path
    tensors: Mapping[str, Tensor]

    @cached_property
    def layout(self) -> Layout | None:
        """Which published network it is, None for one that is not known."""
        return layout_of(self.tensors)

    @cached_property
    def backbone(self) -> str | None:
        """The timm trunk that the whole of its trunk fits, None if there is none among the known ones."""
        return next((name for name in (self.layout.trunks if self.layout else ()) if self._fits(name)), None)

    @property
    def network(self) -> dict[str, Any]:
        """The settings of the network here that it is or comes nearest to; none where it is not known."""
        if self.layout is None or self.backbone is None:
            return {}
        # Heads may be fewer here than elsewhere.
        found = {name: value for name, value in self.layout.settings.items() if name != "algorithm" or value in HEADS}
        return {**found, "backbone": self.backbone}

    def fill(self, model: Segmenter, settings: Settings) -> str:
        """Fill `model`, the network of `settings`, with all that fits; return a line that says what was taken.

        The trunk is taken whole or not at all, and so is the head, but for its classifier where the number of classes
        differs. Images are normalised from then on as the published network has it.

        Raises:
            ModelError: the trunk is another one than the model's.
        """
        trunk = self._trunk(model.backbone.trunk, settings.backbone)
        if not trunk.taken:
            raise ModelError(f"{self.path}: {self._looks()} {trunk.lack} {self._remedy()}")
        parts = {TRUNK: trunk}
        _load(model.backbone.trunk, trunk)
        for name, module in ((HEAD, model.head), (AUXILIARY, model.auxiliary)):
            if module is not None:
                parts[name] = self._head(name, module, settings.num_classes)
                _load(module, parts[name])
        if self.layout is not None:
            _normalise_like(model, self.layout)
        return self._report(parts)

    def _fits(self, backbone: str) -> bool:
        with torch.device("meta"):
            trunk = timm.create_model(backbone, pretrained=False, features_only=True)
        return bool(self._trunk(trunk, backbone).taken)

    def _trunk(self, trunk: nn.Module, backbone: str) -> _Part:
        """The whole trunk, but for what nobody published; or nothing; and why."""
        own = _counted(trunk.state_dict())
        wanted = {plain_name(name): tensor for name, tensor in own.items()}
        found = self._found(TRUNK, wanted)
        spread = {name: each.tensor for name, each in found.items()}
        adapt_input(spread, wanted, ALIASES.get(backbone, backbone))
        more = _more_of_a_series(found, wanted)
        if more is not None:
            return _Part({}, len(own), f"not of backbone {backbone!r}: it has {found[more].sources[0]!r} besides.")
        absent = tuple(name for name in own if self.layout and name.startswith(self.layout.lacks))
        there = [name for name in own if name not in absent]
        for name in there:
            lack = _lack(own[name], spread.get(plain_name(name)))
            if lack:
                return _Part({}, len(own), f"not of backbone {backbone!r}: its tensor {name!r} {lack}.")
        taken = {name: _Found(spread[plain], found[plain].sources) for name in there for plain in (plain_name(name),)}
        return _Part(taken, len(own), f"{absent[0]} and the like start anew" if absent else "")

    def _head(self, part: str, module: nn.Module, num_classes: int | None) -> _Part:
        """The whole head, or all but its classifier, or nothing; and why."""
        own = _counted(module.state_dict())
        found = self._found(part, {plain_name(name): tensor for name, tensor in own.items()})
        taken, replaced = {}, 0
        for name, tensor in own.items():
            other = found.get(plain_name(name))
            lack = _lack(tensor, None if other is None else other.tensor)
            if other is not None and not lack:
                taken[name] = other
            elif other is not None and _is_of_other_classes(tensor, other.tensor, num_classes):
                replaced = len(other.tensor)
            else:
                reason = f"its tensor {name!r} {lack}" if taken else "the file has no such head"
                return _Part({}, len(own), reason)
        anew = f"the classifier starts anew, as {num_classes} classes take the place of {replaced}" if replaced else ""
        return _Part(taken, len(own), anew)

    def _found(self, part: str, wanted: Mapping[str, Tensor]) -> dict[str, _Found]:
        """The file's tensors of a part by plain names of ours; by their order where no name is known."""
        layout, names = self.layout, list(_counted(self.tensors))
        renamed = _bare(names) if layout is None and part == TRUNK else layout.renamed(part, names) if layout else {}
        found = _joined(renamed, self.tensors)
        # The order in a safetensors file is that of the alphabet.
        if not found.keys() & wanted.keys() and self.path.suffix.lower() != ".safetensors":
            found = _by_order(found, wanted)
        if layout is not None and layout.is_bgr:
            found = {name: each._replace(tensor=_turned(each.tensor)) for name, each in found.items()}
        return found

    def _looks(self) -> str:
        if self.layout is None:
            return "does not look like a published segmentation network that is known, and its trunk is"
        trunk = f" on {self.backbone}" if self.backbone else ""
        return f"looks like {self.layout.name}{trunk}; its trunk is"

    def _remedy(self) -> str:
        given = [f"--{name.replace('_', '-')} {value}" for name, value in self.network.items()]
        if given:
            return f"Give {' '.join(given)}."
        if self.layout is not None and not self.layout.trunks:
            return "timm has no such trunk, so nothing of the file can be used. Train without --start-from."
        return "Give --backbone with the timm name of the file's trunk, or train without --start-from."

    def _report(self, parts: Mapping[str, _Part]) -> str:
        used = {source for part in parts.values() for found in part.taken.values() for source in found.sources}
        left = [name for name in _counted(self.tensors) if name not in used]
        taken, size = sum(len(part.taken) for part in parts.values()), sum(part.size for part in parts.values())
        whose = f" ({self.layout.name})" if self.layout else ""
        return (
            f"Starting from {self.path}{whose}: {taken} of {size} tensors taken "
            f"({'; '.join(f'{name} {part.text}' for name, part in parts.items())})"
            f"{f'; not taken from the file: {listed(left)}' if left else ''}."
        )


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without what DDP puts before every name."""
    is_wrapped = all(name.startswith("module.") for name in tensors)
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()} if is_wrapped else tensors


def _counted(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All but what nobody learned: the counts of BatchNorm, and Swin's indices of positions."""
    no_weights = ("num_batches_tracked", "relative_position_index")
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(no_weights)}


def _bare(names: Iterable[str]) -> dict[str, str]:
    """The tensors of a trunk in a file that is not known, without what stands before the names of a trunk."""
    found = {name: name for name in names}
    for prefix in ("model.", "backbone.", "encoder."):
        inside = {name: bare.removeprefix(prefix) for name, bare in found.items() if bare.startswith(prefix)}
        found = inside or found
    return found


def _joined(renamed: Mapping[str, str], tensors: Mapping[str, Tensor]) -> dict[str, _Found]:
    """Tensors by their plain new names; `a[0].b`, `a[1].b`, `a[2].b` become `a.b`, one below the other."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for source, name in renamed.items():
        parts.setdefault(plain_name(re.sub(r"\[\d\]", "", name)), []).append((name, source))
    found = {}
    for plain, entries in parts.items():
        sources = tuple(source for _, source in sorted(entries))
        whole = torch.cat([tensors[source] for source in sources]) if len(sources) > 1 else tensors[sources[0]]
        found[plain] = _Found(whole, sources)
    return found


def _by_order(found: Mapping[str, _Found], wanted: Mapping[str, Tensor]) -> dict[str, _Found]:
    """`found` under the names of `wanted`, one after the other; nothing if they differ in number or in roles."""
    roles = [[name.rpartition(".")[2] for name in names] for names in (found, wanted)]
    return dict(zip(wanted, found.values(), strict=True)) if roles[0] == roles[1] else {}


def _turned(tensor: Tensor) -> Tensor:
    """A convolution that takes blue, green and red, as one that takes red, green and blue; others as they are."""
    return tensor.flip(1) if tensor.dim() == 4 and tensor.shape[1] == 3 else tensor


def _more_of_a_series(found: Iterable[str], wanted: Iterable[str]) -> str | None:
    """A name that goes on with numbered names of `wanted`, as a deeper network has them; None if there is none."""
    own = set(wanted)
    series = {match[0] for name in own if (match := _BEFORE_NUMBER.match(name))}
    others = (name for name in found if name not in own)
    return next((name for name in others if (match := _BEFORE_NUMBER.match(name)) and match[0] in series), None)


def _lack(own: Tensor, other: Tensor | None) -> str:
    """What is wrong with `other` in the place of `own`; nothing if it fits, as a matrix fits a 1x1 convolution."""
    if other is None:
        return "is missing"
    fits = other.shape == own.shape or (*other.shape, 1, 1) == tuple(own.shape)
    return "" if fits else f"is {shape_text(other)}, expected {shape_text(own)}"


def _is_of_other_classes(own: Tensor, other: Tensor, num_classes: int | None) -> bool:
    return len(own) == num_classes and own.shape[1:] == other.shape[1:]


def _load(module: nn.Module, part: _Part) -> None:
    state = module.state_dict()
    fitting = {name: found.tensor.reshape(state[name].shape) for name, found in part.taken.items()}
    module.load_state_dict({**state, **fitting})


def _normalise_like(model: Segmenter, layout: Layout) -> None:
    """Let `model` normalise red, green and blue as `layout` has it; of other bands nobody trained anything."""
    if model.backbone.in_channels != 3:
        return
    own = [model.mean.new_tensor(each).view(1, -1, 1, 1) for each in (model.backbone.mean, model.backbone.std)]
    new = [model.mean.new_tensor(each).view(1, -1, 1, 1) for each in (layout.mean, layout.std)]
    span = model.std / own[1]
    model.mean += span * (new[0] - own[0])
    model.std.copy_(span * new[1])
