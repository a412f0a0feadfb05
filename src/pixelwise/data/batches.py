"""Order, sharding and preparation ahead: pairs -> Batch, exactly determined by (seed, epoch, position)."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from pixelwise.data.augment import augment
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.planes import Picture, bytes_of, of_each
from pixelwise.data.rare import rare_classes
from pixelwise.data.reading import Sample, read_pair, to_sample
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.settings import Settings
from pixelwise.workers import in_order, num_threads, usable_memory

BATCHES_AHEAD = 3

_ORDER, _AUGMENTATION = 1, 2


class Batch(NamedTuple):
    """Images and truth of one step."""

    images: Tensor  # (N, C, H, W) in the files' own depth; as a rule C = 3, RGB and uint8
    class_ids: Tensor  # (N, H, W) uint8, 0..K-1 or IGNORE


def cache_bytes() -> int:
    """Memory for decoded pairs: 15 % of what this process may use, at most 2 GiB."""
    return min(2 * 2**30, int(0.15 * usable_memory()))


class TrainingBatches:
    """Augmented crops; the sample at (epoch, position) is a pure function of the settings' seed.

    Process `rank` of `world_size` gets its share of every global batch of `settings.mini_batch_size`, so
    that the processes together see what one process would. An epoch takes each image `settings.repeats` times, each
    time another crop. Images that fill no batch are left out of an epoch, others in each; fewer images than a batch
    needs are taken more than once.

    `class_pixels` are the labelled pixels of each class in the masks of `pairs`, which `settings.rare_crops` needs.

    Raises:
        SettingsError: mini_batch_size cannot be shared equally.
        DataError: there are no pairs, or (while iterating) a file cannot be used.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        labels: LabelTable,
        settings: Settings,
        *,
        bands: Bands = PHOTOGRAPH,
        class_pixels: Sequence[int] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        size = settings.mini_batch_size
        if size % world_size:
            raise SettingsError(
                f"mini_batch_size is {size}, which {world_size} processes cannot share equally. "
                f"Give a multiple of {world_size}."
            )
        if not pairs:
            raise DataError("There are no training images with masks. Put pairs into train/ and train_annotation/.")
        if settings.rare_crops and class_pixels is None:
            raise ValueError("rare_crops needs the pixels of each class, to know which classes are rare")
        self.pairs, self.labels, self.settings, self.bands = tuple(pairs), labels, settings, bands
        self.share = range(rank * size // world_size, (rank + 1) * size // world_size)
        self.steps_per_epoch = steps_per_epoch(len(self.pairs), settings)
        self._workers = num_threads(settings.num_workers)
        self._mirrored = labels.mirrored()
        self._rare = rare_classes(class_pixels or ())
        # As if all processes were on this machine, for they share its memory.
        self._decoded = _DecodedPairs(cache_bytes() // world_size, bands)

    def of_epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[Batch]:
        """Batches of the epoch from `first_step` on, prepared ahead by threads that end with the iterator."""
        # Threads and not processes: Pillow decodes and resizes without the interpreter lock, and so there is
        # no /dev/shm to fill, nothing to pickle and no worker to die.
        ahead = BATCHES_AHEAD * len(self.share)
        slots = self._slots(epoch, first_step)
        # Closed, for a loop that breaks off would leave the threads to the garbage collector.
        with closing(in_order(self._fill, slots, workers=self._workers, ahead=ahead)) as filled:
            # Filled in order: with its last row a batch is complete.
            yield from (slot.batch for slot in filled if slot.row == len(self.share) - 1)

    def sample_at(self, epoch: int, position: int) -> Sample:
        """The sample at a position of the epoch's global order."""
        order = self.order(epoch)
        return self._sample(epoch, position, int(order[position % len(order)]))

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """(number of pairs * repeats,) index of the pair at each position of the epoch, every image once in a round."""
        generator = _generator(_ORDER, self.settings.seed, epoch)
        return np.concatenate([generator.permutation(len(self.pairs)) for _ in range(self.settings.repeats)])

    def _slots(self, epoch: int, first_step: int) -> Iterator["_Slot"]:
        order = self.order(epoch)
        side = self.settings.crop_size
        for step in range(first_step, self.steps_per_epoch):
            # Threads write their rows into place: stacking would copy every batch once more.
            batch = _empty_batch(len(self.share), (side, side), self.bands)
            for row, i in enumerate(self.share):
                position = step * self.settings.mini_batch_size + i
                yield _Slot(batch, row, epoch, position, int(order[position % len(order)]))

    def _fill(self, slot: "_Slot") -> "_Slot":
        _write(self._sample(slot.epoch, slot.position, slot.pair), slot.batch, slot.row)
        return slot

    def _sample(self, epoch: int, position: int, pair: int) -> Sample:
        generator = _generator(_AUGMENTATION, self.settings.seed, epoch, position)
        image, mask = self._decoded.get(self.pairs[pair], self.labels)
        return augment(
            image,
            mask,
            self.settings,
            generator=generator,
            mirrored=self._mirrored,
            bands=self.bands,
            rare=self._rare,
        )


def steps_per_epoch(num_images: int, settings: Settings) -> int:
    """Batches of an epoch over so many training images."""
    return max(1, num_images * settings.repeats // settings.mini_batch_size)


class EvaluationBatches:
    """Every image once, in the order of `pairs`, at its own size; neighbours of equal size share a batch.

    Process `rank` of `world_size` gets a run of neighbours. With `crop_size` the short side is scaled to it
    and the centre square is cut out, as GluonCV and Amazon's algorithm validate.
    """

    def __init__(  # noqa: PLR0913  # what one may ask of a pass over the images
        self,
        pairs: Sequence[Pair],
        labels: LabelTable,
        *,
        bands: Bands = PHOTOGRAPH,
        crop_size: int | None = None,
        batch_size: int = 4,
        rank: int = 0,
        world_size: int = 1,
        num_workers: int | None = None,
    ) -> None:
        # Neighbours and not every n-th pair: those of equal size lie side by side and can share a batch.
        self.pairs = tuple(pairs[len(pairs) * rank // world_size : len(pairs) * (rank + 1) // world_size])
        self.labels, self.bands, self.crop_size, self.batch_size = labels, bands, crop_size, batch_size
        self._workers = num_threads(num_workers)

    def __len__(self) -> int:
        """How many images this process sees."""
        return len(self.pairs)

    def __iter__(self) -> Iterator[tuple[list[Pair], Batch]]:
        """Pairs and their batch; DataError where a file cannot be used."""
        names: list[Pair] = []
        samples: list[Sample] = []
        ahead = BATCHES_AHEAD * self.batch_size
        with closing(in_order(self._read, self.pairs, workers=self._workers, ahead=ahead)) as read:
            for pair, sample in read:
                full = len(samples) == self.batch_size
                if samples and (full or sample.class_ids.shape != samples[-1].class_ids.shape):
                    yield names, _stacked(samples, self.bands)
                    names, samples = [], []
                names.append(pair)
                samples.append(sample)
        if samples:
            yield names, _stacked(samples, self.bands)

    def _read(self, pair: Pair) -> tuple[Pair, Sample]:
        image, mask = read_pair(pair, self.labels, self.bands)
        side = self.crop_size
        if side is not None:
            image = of_each(image, lambda picture: centre_crop(picture, side, Image.Resampling.BILINEAR))
            mask = centre_crop(mask, side, Image.Resampling.NEAREST)
        return pair, to_sample(image, mask)


def centre_crop(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Short side scaled to `side`, centre square cut out (gluoncv/data/segbase.py, `_val_sync_transform`)."""
    short = min(image.size)
    width, height = (side if length == short else int(length * side / short) for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.resize((width, height), resample).crop((left, top, left + side, top + side))


class _Slot(NamedTuple):
    """A place in a batch and what belongs there."""

    batch: Batch
    row: int
    epoch: int
    position: int
    pair: int


class _DecodedPairs:
    """Decoded pairs kept in memory up to a budget, as decoding costs more than all the rest of a sample."""

    def __init__(self, budget_bytes: int, bands: Bands) -> None:
        self._left, self._bands = budget_bytes, bands
        self._kept: dict[str, tuple[Picture, Image.Image]] = {}

    def get(self, pair: Pair, labels: LabelTable) -> tuple[Picture, Image.Image]:
        """Image and mask; nobody may change them."""
        kept = self._kept.get(pair.name)
        if kept is not None:
            return kept
        image, mask = read_pair(pair, labels, self._bands)
        size = bytes_of(image) + mask.width * mask.height
        # Two threads may decode one pair at a time (a batch larger than the dataset): both results are equal,
        # and the budget is approximate by that much.
        if size <= self._left:
            self._left -= size
            self._kept[pair.name] = (image, mask)
        return image, mask


def _generator(*key: int) -> np.random.Generator:
    """Randomness that depends on `key` alone; the first number tells the purposes apart."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def _empty_batch(number: int, size: tuple[int, int], bands: Bands) -> Batch:
    return Batch(
        torch.empty((number, bands.count, *size), dtype=getattr(torch, bands.depth)),
        torch.empty((number, *size), dtype=torch.uint8),
    )


def _write(sample: Sample, batch: Batch, index: int) -> None:
    batch.images[index].numpy()[:] = sample.image
    batch.class_ids[index].numpy()[:] = sample.class_ids


def _stacked(samples: Sequence[Sample], bands: Bands) -> Batch:
    height, width = samples[0].class_ids.shape
    batch = _empty_batch(len(samples), (height, width), bands)
    for index, sample in enumerate(samples):
        _write(sample, batch, index)
    return batch
