"""Models of other bands: the file takes the numbers of the images and gives what `predict` gives of them."""

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
import torch

import pixelwise
from pixelwise.bundle import load_bundle
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.errors import ModelError
from pixelwise.exporting.drawn import drawn_images
from pixelwise.exporting.export import export
from pixelwise.exporting.formats import EXPORT_FORMATS
from pixelwise.exporting.graph import deployed_graph
from pixelwise.exporting.parity import measure
from tests.exporting.conftest import TEMPERATURE, save_model

FIVE = Bands("uint16", 5, (1, 2, 3, 4, 5), ((310, 4071), (280, 3900), (0, 65535), (1000, 1100), (5, 600)), False)
SOME = Bands("int16", 5, (4, 3, 2), ((-500, 1500), (-30000, -29000), (0, 255)), False)
FLOAT = Bands("float32", 1, (1,), ((-0.3, 0.9),), False)
RGBA = Bands("uint8", 4, (1, 2, 3, 4), ((0, 255),) * 4, True)


def model(folder, bands, backbone="test_resnet"):
    return save_model(folder / "model", "fcn", backbone, align_corners=False, bands=bands)


def noise(bands, height, width):
    """An image (H, W, bands in the file) with values over the whole type, most of them outside the ranges."""
    generator = np.random.default_rng(7)
    if bands.depth == "float32":
        return generator.normal(0.3, 1, (height, width, bands.in_file)).astype(np.float32)
    limits = np.iinfo(bands.depth)
    return generator.integers(limits.min, limits.max + 1, (height, width, bands.in_file), dtype=bands.depth)


def given(bands, image):
    return np.ascontiguousarray(image[:, :, [band - 1 for band in bands.chosen]].transpose(2, 0, 1)[None])


def test_an_onnx_file_of_five_bands_takes_uint16_and_gives_the_class_ids_of_the_bundle(tmp_path):
    bundle = model(tmp_path, FIVE)
    paper = export(bundle, tmp_path / "network.onnx").to_json()
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    predictor = pixelwise.load(bundle, device="cpu", precision="float32")
    inside = np.random.default_rng(0).integers(300, 4000, (61, 50, 5), dtype=np.uint16)
    for image in (inside, noise(FIVE, 40, 83)):
        class_ids, _ = session.run(["class_ids", "logits"], {"images": given(FIVE, image)})
        assert np.mean(class_ids[0] == predictor.predict(image).class_ids) > 0.9995
        assert len(np.unique(class_ids)) > 1
    assert session.get_inputs()[0].type == "tensor(uint16)"
    assert session.get_inputs()[0].shape == ["batch", 5, "height", "width"]
    facts = session.get_modelmeta().custom_metadata_map
    assert Bands.from_json(json.loads(facts["bands"]), source="network.onnx") == FIVE
    assert paper["input"]["type"] == "uint16"
    assert paper["input"]["shape"] == ["batch", 5, "height", "width"]
    assert paper["input"]["bands"]["ranges"][1] == [280, 3900]


@pytest.mark.parametrize("bands", [SOME, FLOAT, RGBA], ids=lambda bands: bands.depth)
@pytest.mark.parametrize("suffix", [pytest.param(".onnx", marks=pytest.mark.slow), ".pt2"])
def test_files_of_every_depth_are_proved_and_give_the_class_ids_of_the_bundle(tmp_path, bands, suffix):
    bundle, path, image = model(tmp_path, bands), tmp_path / f"network{suffix}", noise(bands, 48, 64)
    certificate = export(bundle, path, size=(48, 64))
    class_ids, _ = EXPORT_FORMATS[suffix].open(path)(given(bands, image))
    predictor = pixelwise.load(bundle, device="cpu", precision="float32")
    assert np.mean(class_ids[0] == predictor.predict(image).class_ids) > 0.9995
    assert f"(batch, {bands.count}, 48, 64) {bands.depth} -> class_ids" in certificate.text()
    assert f"\nbands: {bands.text()}\n" in certificate.text()


def test_values_outside_the_ranges_are_limited_inside_the_graph(tmp_path):
    bands = dataclasses.replace(FIVE, ranges=((300, 4000),) * 5)
    graph = deployed_graph(load_bundle(model(tmp_path, bands)))
    image = noise(bands, 32, 40)
    with torch.no_grad():
        found = graph(torch.from_numpy(given(bands, image)))[1]
        limited = graph(torch.from_numpy(given(bands, np.clip(image, 300, 4000))))[1]
    assert torch.equal(found, limited)


def test_what_is_not_a_number_counts_as_the_lowest_value_as_it_does_in_predict(tmp_path):
    bundle = model(tmp_path, FLOAT)
    image = noise(FLOAT, 32, 40)
    image[3:9, 5:30, 0], image[20, 20, 0], image[25, 5:20, 0] = np.nan, -np.inf, np.inf
    filled = np.where(np.isfinite(image), image, np.float32(-0.3))
    graph = deployed_graph(load_bundle(bundle))
    with torch.no_grad():
        class_ids, found = graph(torch.from_numpy(given(FLOAT, image)))
        assert torch.equal(found, graph(torch.from_numpy(given(FLOAT, filled)))[1])
    expected = pixelwise.load(bundle, device="cpu", precision="float32").predict(image)
    assert np.mean(class_ids[0].numpy() == expected.class_ids) > 0.9995


def test_a_file_that_does_not_limit_values_is_caught(tmp_path):
    bundle = load_bundle(model(tmp_path, FLOAT))
    network = bundle.build_model()

    def unlimited(images):
        with torch.no_grad():
            normal = (torch.from_numpy(images).nan_to_num(-0.3, -0.3, -0.3) - network.mean) / network.std
            logits = network.head(network.backbone(normal)) + network.shift[:, None, None]
            logits = torch.nn.functional.interpolate(logits, images.shape[-2:], mode="bilinear") / TEMPERATURE
        return logits.argmax(dim=1).to(torch.uint8).numpy(), logits.numpy()

    # Where nothing lies outside the network's own ranges it gives what the network gives.
    within = drawn_images(dataclasses.replace(FLOAT, ranges=((-0.1, 0.7),)), 2, 64, 96, seed=0)[1]
    with torch.no_grad():
        expected = network(torch.from_numpy(within)).main / TEMPERATURE
    np.testing.assert_allclose(unlimited(within)[1], expected.numpy(), rtol=0, atol=1e-4)
    assert measure(unlimited, bundle, ((2, 64, 96),)).fault() is not None


def test_a_bundle_whose_weights_are_of_other_bands_is_named_and_nothing_is_written(tmp_path):
    facts = model(tmp_path, FIVE) / "model.json"
    bands = {**FIVE.to_json(), "chosen": [1, 2], "ranges": [[0, 9], [0, 9]]}
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "bands": bands}))
    with pytest.raises(
        ModelError, match=r"^The bundle's weights are not those of its settings .* Copy the bundle again"
    ):
        export(tmp_path / "model", tmp_path / "network.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_program_that_refuses_the_depth_is_named(tmp_path):
    def refuse(images):
        raise TypeError(f"no kernel for {images.dtype}\nand more")

    with pytest.raises(ModelError, match=r"does not run on 2 images of 64x96 \(no kernel for uint16\)"):
        measure(refuse, load_bundle(model(tmp_path, FIVE)))


@pytest.mark.parametrize("bands", [FIVE, SOME, FLOAT, RGBA], ids=lambda bands: bands.depth)
def test_drawn_images_have_values_on_both_sides_of_each_range_where_the_type_has_such(bands):
    drawn, expected = drawn_images(bands, 3, 48, 64, seed=1)
    assert drawn.dtype == expected.dtype == np.dtype(bands.depth)
    assert drawn.shape == expected.shape == (3, bands.count, 48, 64)
    limits = (-np.inf, np.inf) if bands.depth == "float32" else (np.iinfo(bands.depth).min, np.iinfo(bands.depth).max)
    for (low, high), values in zip(bands.ranges, np.nan_to_num(drawn, posinf=0, neginf=0).swapaxes(0, 1), strict=True):
        span = high - low
        assert values.min() == pytest.approx(max(limits[0], low - span / 4), abs=0.02 * span + 1)
        assert values.max() == pytest.approx(min(limits[1], high + span / 4), abs=0.02 * span + 1)
        assert values.min() < low or low == limits[0]
        assert values.max() > high or high == limits[1]


def test_drawn_rasters_of_floats_have_pixels_that_are_not_numbers():
    drawn, expected = drawn_images(FLOAT, 2, 48, 64, seed=1)
    gaps = ~np.isfinite(drawn)
    assert 0 < gaps.mean() < 0.02
    assert {str(value) for value in np.unique(drawn[gaps])} == {"-inf", "inf", "nan"}
    assert (expected[gaps] == np.float32(-0.3)).all()
    assert np.array_equal(expected[~gaps], drawn[~gaps])


def test_the_limits_of_float32_are_no_obstacle():
    bands = Bands("float32", 1, (1,), ((-3.4e38, 3.4e38),), False)
    _, expected = drawn_images(bands, 1, 8, 8, seed=0)
    assert np.isfinite(expected).all()


def test_the_certificate_of_photographs_says_what_it_said_and_its_bands(tmp_path):
    bundle = load_bundle(model(tmp_path, PHOTOGRAPH))
    certificate = export(tmp_path / "model", tmp_path / "network.pt2", size=(40, 56))
    assert certificate.to_json()["input"] == {
        "name": "images",
        "type": "uint8",
        "shape": ["batch", 3, 40, 56],
        "meaning": "RGB, 0 to 255, after the EXIF orientation; resizing, padding and normalising are not needed",
        "normalised_inside": {name: bundle.state[name].flatten().tolist() for name in ("mean", "std")},
        "bands": PHOTOGRAPH.to_json(),
    }
    assert "images (batch, 3, 40, 56) uint8 RGB -> class_ids, logits\n4 images in 2 batches" in certificate.text()
