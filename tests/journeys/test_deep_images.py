"""Images of other depths and bands through every verb: train, resume, evaluate, predict, score, and the API."""

import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import pixelwise
from pixelwise.bundle import load_bundle
from pixelwise.errors import DataError
from tests.conftest import TINY_FLAGS

SIZE = (48, 64)
LEARNING = {
    "algorithm": "deeplabv3plus",
    "backbone": "test_resnet",
    "epochs": 15,
    "crop_size": 48,
    "mini_batch_size": 4,
}


def draw_deep(folder, split, name, seed):
    """Noise of 16 bits in five bands, and a square that only the fourth band shows."""
    generator = np.random.default_rng(seed)
    image = generator.normal(2000, 50, (*SIZE, 5))
    mask = np.zeros(SIZE, dtype=np.uint8)
    top, left = (int(generator.integers(2, side - 26)) for side in SIZE)
    mask[top : top + 24, left : left + 24] = 1
    image[..., 3] += 800.0 * mask
    options = {"photometric": "minisblack", "planarconfig": "contig", "compression": "zstd"}
    for channel in (split, f"{split}_annotation"):
        (folder / channel).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / split / f"{name}.tif", image.astype(np.uint16), **options)
    Image.fromarray(mask).save(folder / f"{split}_annotation" / f"{name}.png")


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep") / "dataset"
    for split, count in (("train", 12), ("validation", 4), ("test", 3)):
        for i in range(count):
            draw_deep(folder, split, f"{split}{i}", seed=100 * count + i)
    return folder


@pytest.fixture(scope="module")
def model(deep):
    pixelwise.train(deep, output=deep.parent / "run", pretrained=False, quiet=True, device="cpu", **LEARNING)
    return deep.parent / "run"


def test_a_set_of_five_bands_of_16_bits_is_learned(model, deep):
    scores = pixelwise.evaluate(model, deep, split="test", device="cpu").scores
    assert scores.iou[1] > 0.6


def test_the_bundle_holds_the_rule_of_the_training_images(model, deep):
    bands = load_bundle(model).bands
    assert bands == pixelwise.check(deep).bands
    assert json.loads((model / "model" / "model.json").read_text())["bands"]["in_file"] == 5


def test_every_door_gives_the_same_masks(model, deep, tmp_path, run):
    code, _, _ = run("predict", model, deep / "test", "--output", tmp_path / "masks", "--overlay", "--device", "cpu")
    assert code == 0
    predictor = pixelwise.load(model, device="cpu")
    for path in sorted((deep / "test").iterdir()):
        with Image.open(tmp_path / "masks" / f"{path.stem}.png") as image:
            written = np.asarray(image)
        pixels = tifffile.imread(path)
        assert np.array_equal(predictor.predict(pixels).class_ids, written)
        assert np.array_equal(predictor.predict(path.read_bytes()).class_ids, written)
        batch = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        with torch.inference_mode():
            logits = predictor.model(batch).main
        assert np.mean(logits.argmax(dim=1)[0].numpy() == written) > 0.999
        with Image.open(tmp_path / "masks" / f"{path.stem}_overlay.png") as overlay:
            assert (overlay.mode, overlay.size) == ("RGB", SIZE[::-1])


def test_an_array_of_another_kind_is_refused(model):
    predictor = pixelwise.load(model, device="cpu")
    with pytest.raises(DataError, match=r"uint8 \(8, 8, 3\), expected uint16 of shape \(height, width, 5\)"):
        predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))


def test_two_runs_of_deep_images_give_the_same_bits(deep, tmp_path, run):
    flags = [*TINY_FLAGS, "--quiet", "--device", "cpu", "--deterministic", "--blur", "0.5"]
    for name in ("one", "other"):
        assert run("train", deep, "--output", tmp_path / name, *flags)[0] == 0
    one, other = (
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True) for name in ("one", "other")
    )
    assert one["bands"] == other["bands"]
    for name, tensor in one["parts"]["model"].items():
        assert torch.equal(tensor, other["parts"]["model"][name])


def test_a_checkpoint_of_another_range_is_refused(deep, tmp_path, run):
    flags = ["--quiet", "--device", "cpu", *TINY_FLAGS]
    assert run("train", deep, "--output", tmp_path / "run", *flags)[0] == 0
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    content = torch.load(last, weights_only=True)
    content["bands"]["ranges"][0][0] += 1
    torch.save(content, last)
    code, _, err = run("train", deep, "--output", tmp_path / "run", "--resume", "--quiet", "--device", "cpu")
    assert code == 2
    assert "not those the run began with" in err


def test_a_run_that_starts_from_a_model_sees_images_as_the_model_does(model, deep, tmp_path, run, trained):
    flags = ["--quiet", "--device", "cpu", "--epochs", "1", "--crop-size", "32", "--mini-batch-size", "4"]
    # Other training images, whose own percentiles would be others.
    for i in range(4):
        draw_deep(tmp_path / "more", "train", f"more{i}", seed=i)
        draw_deep(tmp_path / "more", "validation", f"kept{i}", seed=10 + i)
    code, _, _ = run("train", tmp_path / "more", "--output", tmp_path / "run", "--start-from", model, *flags)
    assert code == 0
    assert load_bundle(tmp_path / "run").bands == load_bundle(model).bands
    assert pixelwise.check(tmp_path / "more").bands != load_bundle(model).bands
    assert (
        run("train", tmp_path / "more", "--output", tmp_path / "run", "--resume", "--quiet", "--device", "cpu")[0] == 0
    )
    code, _, err = run("train", deep, "--output", tmp_path / "other", "--start-from", trained, *flags)
    assert code == 2
    assert "the model to start from takes 3 bands of uint8" in err
