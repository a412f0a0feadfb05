import json
import math

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.facts.regions import RegionSizes
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelMoments
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable


def balance(pixels, **counts):
    images = counts.get("images", tuple(int(count > 0) for count in pixels))
    return ClassBalance(pixels, images, counts.get("where", pixels), counts.get("masks", 4), counts.get("ignored", 0))


def test_shares_over_pixels_and_over_images_by_hand():
    found = balance((60, 30, 10, 0), images=(4, 2, 1, 0), ignored=25)
    assert found.pixel_shares == (0.6, 0.3, 0.1, 0.0)
    assert found.image_shares == (1.0, 0.5, 0.25, 0.0)
    assert found.ignored_share == 0.2
    assert found.present == (0, 1, 2)


def test_the_imbalance_ratio_is_that_of_the_largest_class_to_the_smallest_that_has_pixels():
    assert balance((60, 0, 30, 10)).imbalance_ratio == pytest.approx(6.0)


def test_the_imbalance_ratio_counts_a_class_below_a_tenth_of_a_percent_as_that():
    # 99.999 % and 0.001 %: 99.999 / 0.1, not 99,999.
    assert balance((99_999, 1)).imbalance_ratio == pytest.approx(999.99)


def test_a_single_class_is_in_balance_with_itself():
    assert balance((0, 7)).imbalance_ratio == 1.0


def test_nothing_labelled_has_neither_shares_nor_a_ratio():
    found = balance((0, 0), ignored=5, masks=0)
    assert math.isnan(found.imbalance_ratio)
    assert all(map(math.isnan, found.pixel_shares + found.image_shares))
    assert found.ignored_share == 1.0
    assert math.isnan(balance((0, 0)).ignored_share)


def test_image_sizes_are_listed_by_frequency_and_counted():
    sizes = ImageSizes({(40, 30): 2, (30, 40): 5, (20, 10): 2})
    assert sizes.num_images == 9
    assert sizes.most_frequent(2) == [((30, 40), 5), ((20, 10), 2)]
    assert sizes.to_json()["shorter_side"] == {"smallest": 10, "median": 30, "largest": 30}


def test_the_shorter_side_that_a_share_of_the_images_has():
    sizes = ImageSizes({(100, 50): 1, (60, 200): 2, (300, 300): 1})
    assert [sizes.shorter_side(share) for share in (1.0, 0.76, 0.75, 0.26, 0.25, 0.0)] == [50, 50, 60, 60, 300, 300]


def test_no_images_have_no_shorter_side():
    assert ImageSizes({}).to_json() == {"images": 0, "different": 0, "shorter_side": None, "sizes": []}
    with pytest.raises(DataError, match="No image could be read"):
        ImageSizes({}).shorter_side(0.5)


def test_mean_and_deviation_of_the_pixels_by_hand():
    moments = PixelMoments()
    moments.add(Image.new("RGB", (3, 1), (255, 0, 51)))
    moments.add(Image.new("RGB", (1, 1), (0, 0, 51)))
    found = moments.result()
    # Red: 1, 1, 1, 0. The larger image has the larger weight, as every pixel counts the same.
    assert found.mean == pytest.approx((0.75, 0.0, 0.2))
    assert found.std == pytest.approx((math.sqrt(0.1875), 0.0, 0.0))
    assert found.num_pixels == 4


def test_mean_and_deviation_agree_with_numpy():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (7 + i, 9, 3), dtype=np.uint8) for i in range(4)]
    moments, other = PixelMoments(), PixelMoments()
    for i, image in enumerate(images):
        (moments if i else other).add(Image.fromarray(image))
    moments += other
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    assert moments.result().mean == pytest.approx(pixels.mean(0).tolist(), rel=1e-12)
    assert moments.result().std == pytest.approx(pixels.std(0).tolist(), rel=1e-12)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK", "LA"])
def test_images_of_other_modes_count_as_their_rgb(mode):
    image = Image.radial_gradient("L").resize((16, 16)).convert("RGB").convert(mode)
    moments, expected = PixelMoments(), PixelMoments()
    moments.add(image)
    expected.add(image.convert("RGB"))
    assert moments.result() == expected.result()


def test_a_constant_image_has_no_deviation():
    moments = PixelMoments()
    moments.add(Image.new("RGB", (99, 101), (77, 78, 79)))
    assert moments.result().std == (0.0, 0.0, 0.0)


def test_no_pixels_have_no_mean():
    assert PixelMoments().result().to_json() == {"mean": [None] * 3, "std": [None] * 3, "pixels": 0}


def test_facts_as_json_name_every_class_and_have_null_for_what_is_absent():
    sizes = RegionSizes()
    sizes.add(np.array([[0, 0, 0, 255]], dtype=np.uint8))
    found = Facts(
        LabelTable.named(["road", "pole"]),
        balance((3, 0), masks=1, ignored=1),
        ImageSizes({(4, 1): 1}),
        sizes.result(2),
        PixelMoments().result(),
    ).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    road, pole = found["classes"]
    assert (road["name"], road["pixels"], road["pixel_share"], road["images"]) == ("road", 3, 1.0, 1)
    assert (road["regions"]["count"], road["regions"]["largest"]) == (1, 0.75)
    assert (pole["pixel_share"], pole["regions"]["count"], pole["regions"]["largest"]) == (0.0, 0, None)
    assert (found["imbalance_ratio"], found["ignored_share"], found["masks"]) == (1.0, 0.25, 1)
    assert found["image_sizes"]["sizes"] == [{"width": 4, "height": 1, "images": 1}]


def test_facts_of_an_empty_split_are_valid_json():
    nothing = Facts(
        LabelTable.numbered(254),
        balance((0,) * 254, masks=0),
        ImageSizes({}),
        RegionSizes().result(254),
        PixelMoments().result(),
    )
    assert json.loads(json.dumps(nothing.to_json(), allow_nan=False))["imbalance_ratio"] is None
