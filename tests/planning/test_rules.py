"""What follows from the facts, by hand: each rule on numbers that a person can check."""

import pytest

from pixelwise.data.facts.statistics import ClassBalance, ImageSizes
from pixelwise.labels import LabelTable
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts
from pixelwise.planning.machine import Machine
from pixelwise.planning.rules.duration import decide_epochs, decide_epochs_within
from pixelwise.planning.rules.images import decide_crop, decide_jitter, jitter_strength
from pixelwise.planning.rules.learning import decide_average, decide_crops, decide_losses
from pixelwise.planning.rules.network import decide_head, decide_weights


class Looked:
    """What a look at directions found."""

    upright, reason = False, "Images have no up."


def facts(*, images=80, size=(480, 320), pixels=(9800, 200), widths=None):
    names = LabelTable.numbered(len(pixels))
    balance = ClassBalance(tuple(pixels), (images,) * len(pixels), tuple(pixels), images)
    return DataFacts(
        images=images,
        validation_images=20,
        labels=names,
        balance=balance,
        sizes=ImageSizes({size: images}),
        widths={0: 90.0, 1: 5.0} if widths is None else widths,
        orientation=Looked(),
    )


CPU = Machine(device="cpu", name="2 cores", cores=2, processes=1, memory=8 << 30, precision="float32")


@pytest.mark.parametrize(
    ("passes", "steps", "strength"),
    [(30, 5000, 0.0), (300, 5000, 1.0), (3000, 5000, 1.0), (30 * 10**0.5, 5000, 0.5), (300, 100, 0.0)],
)
def test_jitter_grows_with_the_logarithm_of_the_passes_and_not_in_a_hundred_steps(passes, steps, strength):
    assert jitter_strength(passes, steps) == pytest.approx(strength)


def test_crops_are_not_shrunk_until_thin_objects_are_gone():
    draft = Draft({})
    decide_jitter(draft, facts(), passes=300, steps=5000)
    assert draft["scale_min"] == 0.8  # 5 px become 4
    assert draft["scale_max"] == 2.0
    assert draft["color_jitter"] == 0.4


def test_broad_objects_allow_the_full_range():
    draft = Draft({})
    decide_jitter(draft, facts(widths={0: 90.0, 1: 40.0}), passes=300, steps=5000)
    assert draft["scale_min"] == 0.5


def test_a_budget_takes_the_largest_crop_that_leaves_enough_steps():
    draft = Draft({})
    # 150 steps of 192 px; by the pixels 84 of 256 and 103 of 224 would fit.
    decide_crop(draft, facts(), CPU, lambda crop: int(150 * (192 / crop) ** 2))
    assert draft["crop_size"] == 192
    short = Draft({})
    decide_crop(short, facts(), CPU, lambda crop: 3)
    assert short["crop_size"] == 128
    endless = Draft({})
    decide_crop(endless, facts(), CPU, None)
    assert endless["crop_size"] == 256


def test_crops_are_no_larger_than_images():
    draft = Draft({})
    decide_crop(draft, facts(size=(100, 70)), CPU, lambda crop: 1000)
    assert draft["crop_size"] == 64


def test_a_third_of_the_crops_looks_for_a_class_that_has_less_than_a_tenth_of_its_even_share():
    rare, even = Draft({}), Draft({})
    decide_crops(rare, facts(pixels=(9800, 200)))  # 2 % of two classes: under 5 %
    decide_crops(even, facts(pixels=(9000, 1000)))
    assert (rare["rare_crops"], even["rare_crops"]) == (0.333, 0.0)
    assert rare["upright"] is False


def test_dice_helps_where_a_class_is_rare():
    rare, even = Draft({}), Draft({})
    decide_losses(rare, facts(pixels=(9800, 200)))
    decide_losses(even, facts(pixels=(9000, 1000)))
    assert (rare["loss"], even["loss"]) == ("cross_entropy+dice", "cross_entropy")
    assert rare["class_weights"] == even["class_weights"] == "inverse_square_root"


def test_twenty_images_are_repeated_until_an_epoch_has_25_steps():
    draft = Draft({})
    decide_epochs(draft, facts(images=20))
    assert draft["repeats"] == 10  # 25 steps of 8 images
    assert draft["epochs"] == 50


def test_many_images_are_seen_in_fewer_epochs():
    draft = Draft({})
    decide_epochs(draft, facts(images=20_000))
    assert draft["repeats"] == 1
    assert draft["epochs"] == 16  # of 2,500 steps, 40,000 in all


def test_epochs_that_are_given_take_each_image_once():
    draft = Draft({"epochs": 3})
    decide_epochs(draft, facts(images=20))
    assert (draft["epochs"], draft["repeats"]) == (3, 1)


def test_within_a_budget_there_are_several_epochs_to_choose_from():
    draft = Draft({})
    decide_epochs_within(draft, facts(images=16), 80)
    assert draft["repeats"] == 5  # 10 steps of 8 images, 8 epochs


def test_the_average_spans_a_tenth_of_the_steps():
    for steps, decay in ((100, 0.9), (1000, 0.99), (50_000, 0.999), (5, 0.0)):
        draft = Draft({})
        decide_average(draft, steps)
        assert draft["ema_decay"] == pytest.approx(decay)


def test_large_images_of_broad_objects_are_seen_smaller():
    for size, width, scale in (((4000, 3000), 100.0, 0.25), ((4000, 3000), 20.0, 0.5), ((4000, 3000), 6.0, 1.0),
                               ((640, 480), 100.0, 1.0)):  # fmt: skip
        draft = Draft({})
        decide_head(draft, facts(size=size, widths={0: 500.0, 1: width}))
        assert draft["input_scale"] == scale


def test_a_trunk_starts_from_weights_where_they_can_be_had():
    draft = Draft({})
    assert decide_weights(draft, CPU, lambda _name: None, starts=False) is None
    assert draft["pretrained"] is True
    assert draft["backbone"] == "hgnetv2_b2.ssld_stage2_ft_in1k"  # the largest for a CPU that anybody may use
    minutes = Draft({"budget": 120})
    decide_weights(minutes, CPU, lambda _name: None, starts=False)
    assert minutes["backbone"] == "efficientnet_b0.ra4_e3600_r224_in1k"


def test_a_trunk_without_weights_starts_at_random_and_that_is_a_warning():
    draft = Draft({})
    said = decide_weights(draft, CPU, lambda name: f"no way to {name}", starts=False)
    assert (draft["backbone"], draft["pretrained"]) == ("resnet18", False)
    assert said is not None
    assert said.startswith("Warning: the trunk starts at random, for its weights cannot be had (no way to ")


def test_no_weights_are_looked_for_where_none_are_wanted():
    draft = Draft({"pretrained": False})

    def unavailable(name):
        raise AssertionError(f"asked for {name}")

    assert decide_weights(draft, CPU, unavailable, starts=False) is None
    assert draft["backbone"] == "resnet18"
