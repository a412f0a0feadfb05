import pytest
import torch

from pixelwise.errors import OutOfMemory
from pixelwise.planning.fitting import fit, fitting, pieces_of
from pixelwise.planning.memory import ImageLoad, TrainingMemory
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

CPU = Runtime(torch.device("cpu"), torch.float32)
SETTINGS = Settings(mini_batch_size=8, crop_size=256, pretrained=False)


def needed(settings):
    """1000 bytes for the network, and for each image of a piece as many as a tenth of a crop's pixels."""
    size = -(-settings.mini_batch_size // settings.gradient_accumulation)
    return memory(kept=size * settings.crop_size**2 // 10)


def memory(moment="step", kept=0):
    return TrainingMemory(
        moment=moment,
        baseline=10**9,
        states=1000,
        gradients=0,
        kept=kept,
        transient=0,
        images=0,
        workspace=0,
    )


def sizes(limit, settings=SETTINGS):
    found = fit(settings, needed, pieces_of(settings.mini_batch_size, 2), limit)
    assert found.mini_batch_size == settings.mini_batch_size
    assert found.memory.added <= limit
    return found.gradient_accumulation, found.crop_size


@pytest.mark.parametrize(
    ("images", "least", "expected"),
    [
        (8, 2, [1, 2, 3, 4]),  # 8, 4, 3 (3 + 3 + 2), 2
        (8, 1, [1, 2, 3, 4, 8]),
        (7, 2, [1, 2]),  # 3 + 3 + 1 and 2 + 2 + 2 + 1 would end with a single one
        (2, 2, [1]),
        (1, 1, [1]),
    ],
)
def test_pieces_differ_in_size_and_none_is_too_small(images, least, expected):
    assert pieces_of(images, least) == expected


def test_what_fits_stays_as_it_is():
    assert sizes(1000 + 8 * 6553 + 10) == (1, 256)


def test_the_fewest_pieces_that_fit():
    # A crop of 256 takes 6,553.6 bytes an image: two pieces need 26,214, three 19,660, four 13,107.
    assert sizes(1000 + 26_214) == (2, 256)
    assert sizes(1000 + 26_213) == (3, 256)
    assert sizes(1000 + 13_107) == (4, 256)


def test_then_crops_shrink_by_32():
    assert sizes(1000 + 13_106) == (4, 224)  # 2 * 5,017.6
    assert sizes(1000 + 10_000) == (4, 192)
    # The first crop below that is a multiple of 32 comes after one that is none.
    assert sizes(1000 + 13_106, SETTINGS.changed(crop_size=250)) == (4, 250)
    assert sizes(1000 + 12_000, SETTINGS.changed(crop_size=250)) == (4, 224)


def test_pieces_that_were_asked_for_are_the_fewest():
    assert sizes(10**6, SETTINGS.changed(gradient_accumulation=2)) == (2, 256)


def test_nothing_fits_and_the_message_says_what_is_lacking():
    with pytest.raises(OutOfMemory, match=r"crop_size 64, training still adds 0 MB \(at its step\).*smaller backbone"):
        fit(SETTINGS, needed, pieces_of(8, 2), 1000)
    with pytest.raises(OutOfMemory, match="validation_crop_size"):
        fit(SETTINGS, lambda _: memory("validation"), [1], 999)


def test_a_tiny_network_fits_and_a_tenth_of_its_need_does_not():
    tiny = SETTINGS.changed(algorithm="fcn", backbone="mobilenetv2_035", mini_batch_size=4, crop_size=64)
    whole = fitting(tiny, ImageLoad(3), CPU, 10**9)
    assert (whole.gradient_accumulation, whole.crop_size) == (1, 64)
    with pytest.raises(OutOfMemory):
        fitting(tiny, ImageLoad(3), CPU, whole.memory.added // 10)
