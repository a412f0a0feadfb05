import json
import math

import numpy as np
import pytest
from scipy import stats

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.scoring.comparison.compare import Counted, compare
from pixelwise.scoring.image_counts import ImageCounts

NAMES = ("sky", "road", "car")


def evaluated(name, matrices, *, names=NAMES, images=None):
    counts = ImageCounts(len(names))
    for i, matrix in enumerate(matrices):
        counts.add(images[i] if images else f"image{i}", np.asarray(matrix, dtype=np.int64))
    return Counted(name, counts, LabelTable.named(names))


def matrix(*found, truth=(100, 80, 20)):
    """Of each class so many pixels found; what is missed is taken for the next class."""
    missed = np.array(truth) - np.array(found)
    return np.diag(found) + np.roll(np.diag(missed), 1, axis=1)


def noisy(seed, *, gain=0, num_images=60):
    """Found pixels that vary alike in A and B; B finds `gain` more pixels of each road."""
    random = np.random.default_rng(seed)
    found = random.integers((60, 30, 5), (90, 60, 15), (num_images, 3))
    change = random.integers(-5, 6, (num_images, 3))
    return [matrix(*row) for row in found], [matrix(*row) for row in found + change + (0, gain, 0)]


def test_a_clear_gain_is_real_and_the_sentence_names_its_size_interval_and_p_value():
    a, b = noisy(0, gain=12)
    result = compare(evaluated("first", a), evaluated("second", b))
    iou = [np.trace(np.sum(side, axis=0)) for side in (a, b)]
    assert result.pixel_accuracy.difference == pytest.approx((iou[1] - iou[0]) / (60 * 200))
    low, high = result.mean_iou.interval
    assert 0 < low < result.mean_iou.difference < high
    assert result.mean_iou.is_real
    points = [f"{100 * share:.1f}" for share in (result.mean_iou.difference, low, high)]
    assert result.verdict == (
        f"second is better than first by {points[0]} points of mean IoU (95 % interval {points[1]} to {points[2]}, "
        "p < 0.001): the difference is real."
    )
    back = compare(evaluated("second", b), evaluated("first", a))
    assert back.mean_iou.interval == pytest.approx((-high, -low))
    assert back.verdict == result.verdict


def test_a_gain_within_the_noise_is_not_shown():
    a, b = noisy(1)
    result = compare(evaluated("first", a), evaluated("second", b))
    assert not result.mean_iou.is_real
    assert result.mean_iou.interval.low < 0 < result.mean_iou.interval.high
    assert "scores higher than" in result.verdict
    assert result.verdict.endswith("not shown to be real by these 60 images.")


def test_the_class_that_gained_is_real_and_one_that_did_not_is_not():
    a, b = noisy(2, gain=8)
    result = compare(evaluated("A", a), evaluated("B", b))
    sky, road, _ = result.classes
    assert (sky.is_real, road.is_real) == (False, True)
    marked = [line.split()[0] for line in result.text().splitlines()[4:-3] if line.endswith("*")]
    assert marked == [difference.name for difference in result.classes if difference.is_real]
    assert "corrected for 3 tested classes by Holm's method" in result.text()


def test_interval_and_p_value_are_those_of_scipy_for_a_plain_mean_of_differences():
    # All images have 200 labelled pixels, so pixel accuracy is a mean over images, as scipy can resample it.
    a, b = noisy(3, num_images=40)
    gains = (np.trace(b, axis1=1, axis2=2) - np.trace(a, axis1=1, axis2=2)) / 200
    found = compare(evaluated("A", a), evaluated("B", b), resamples=20_000).pixel_accuracy
    test = stats.permutation_test(
        (gains,), np.mean, permutation_type="samples", n_resamples=20_000, random_state=np.random.default_rng(1)
    )
    assert found.p_value == pytest.approx(test.pvalue, abs=0.015)
    # Student's interval is the one that the expanded percentiles stand for
    expected = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(expected), abs=0.06 * (expected.high - expected.low))


def test_with_many_classes_a_clear_gain_of_one_still_passes_the_correction():
    names = [f"class {i}" for i in range(120)]
    random = np.random.default_rng(4)
    found = random.integers(40, 60, (30, 120))
    gain = np.eye(120, dtype=int)[7] * 15
    sides = [[matrix(*row, truth=[80] * 120) for row in side] for side in (found, found + gain)]
    result = compare(evaluated("A", sides[0], names=names), evaluated("B", sides[1], names=names))
    # What is missed of class 7 is taken for class 8, which gains with it.
    assert [difference.name for difference in result.classes if difference.is_real] == ["class 7", "class 8"]


def test_the_order_of_the_images_does_not_matter():
    a, b = noisy(5, num_images=8)
    images = list("hgfedcba")
    first = compare(evaluated("A", a, images=images), evaluated("B", b, images=images), resamples=300)
    back = evaluated("B", b[::-1], images=images[::-1])
    assert compare(evaluated("A", a, images=images), back, resamples=300) == first


def test_equal_evaluations_have_the_same_score():
    a, _ = noisy(6)
    result = compare(evaluated("A", a), evaluated("B", a))
    assert result.mean_iou.interval == (0, 0)
    assert result.mean_iou.p_value == 1
    assert result.verdict.startswith("A and B have the same mean IoU")
    assert "not shown" in result.verdict


def test_one_image_shows_nothing():
    result = compare(evaluated("A", [matrix(50, 40, 10)]), evaluated("B", [matrix(90, 70, 20)]))
    assert result.mean_iou.interval is None
    assert not result.mean_iou.is_real
    assert result.verdict.endswith("not shown to be real by this 1 image.")


def test_a_class_that_one_image_holds_is_not_tested():
    a, b = noisy(7, num_images=10)
    rare = matrix(50, 40, 0, truth=(100, 80, 0))
    result = compare(evaluated("A", [*[rare] * 9, a[9]]), evaluated("B", [*[rare] * 9, b[9]]))
    assert result.classes[2].interval is None
    assert result.classes[2].p_value is None
    assert "corrected for 2 tested classes" in result.text()


def test_a_class_without_pixels_is_null_and_json_is_strict():
    a, b = (np.pad(side, ((0, 0), (0, 1), (0, 1))) for side in noisy(8, num_images=5))
    names = (*NAMES, "nothing")
    result = compare(evaluated("A", a, names=names), evaluated("B", b, names=names), resamples=200)
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    nothing = content["per_class"][3]
    assert nothing == {"id": 3, "name": "nothing", "real": False} | dict.fromkeys(
        ("a", "b", "difference", "interval", "p_value")
    )
    assert content["mean_iou"]["interval"] == list(result.mean_iou.interval)
    assert (content["a"], content["b"], content["images"]) == ("A", "B", 5)
    assert math.isnan(result.classes[3].a)


def test_unlabelled_images_are_said_to_show_nothing():
    result = compare(evaluated("A", np.zeros((2, 3, 3))), evaluated("B", np.zeros((2, 3, 3))), resamples=50)
    assert result.verdict == "Nothing can be said about mean IoU: no pixel of these images is labelled."


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["image0", "image9"], r"Only A has image1\. Only B has image9\. Expected the same images"),
        (["image0"], r"Only A has image1\. Expected"),
        ([f"image{i}" for i in range(14)], "Only B has image10, image11, image12, image13, .* and 4 more"),
    ],
)
def test_images_that_only_one_side_has_are_named(images, message):
    a = evaluated("A", [matrix(50, 40, 10)] * 2)
    with pytest.raises(DataError, match=message):
        compare(a, evaluated("B", [matrix(50, 40, 10)] * len(images), images=images))


def test_other_classes_another_truth_or_no_image_are_refused():
    a = evaluated("A", [matrix(50, 40, 10)] * 2)
    with pytest.raises(DataError, match="A has class 1 named 'road', B names it 'street'"):
        compare(a, evaluated("B", [matrix(50, 40, 10)] * 2, names=("sky", "street", "car")))
    with pytest.raises(DataError, match="A has 3 classes, B has 2"):
        compare(a, evaluated("B", [np.eye(2)] * 2, names=("sky", "road")))
    with pytest.raises(DataError, match=r"A and B saw different truth in image1\. Evaluate both on the same masks"):
        compare(a, evaluated("B", [matrix(50, 40, 10), matrix(50, 40, 10, truth=(99, 81, 20))]))
    with pytest.raises(DataError, match="hold no images"):
        compare(evaluated("A", []), evaluated("B", []))
