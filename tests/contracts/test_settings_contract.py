"""Names of settings that configurations, notebooks and SageMaker jobs rely on."""

import pytest

from pixelwise.settings import FIELDS, GROUPS, KINDS, Settings, allowed

AWS_NAMES = {
    "algorithm",
    "backbone",
    "base_size",
    "crop_size",
    "early_stopping",
    "early_stopping_min_epochs",
    "early_stopping_patience",
    "early_stopping_tolerance",
    "epochs",
    "gamma1",
    "gamma2",
    "learning_rate",
    "lr_scheduler",
    "lr_scheduler_factor",
    "lr_scheduler_step",
    "mini_batch_size",
    "momentum",
    "num_classes",
    "optimizer",
    "sync_bn",
    "weight_decay",
}


def test_settings_that_amazon_has_keep_amazons_names() -> None:
    assert AWS_NAMES - FIELDS.keys() == set()


@pytest.mark.parametrize("name", ["fcn", "psp", "deeplab"])
def test_amazons_algorithms_are_among_ours(name: str) -> None:
    assert name in FIELDS["algorithm"].metadata["choices"]


@pytest.mark.parametrize("name", ["adam", "adagrad", "nag", "rmsprop", "sgd"])
def test_amazons_optimizers_are_among_ours(name: str) -> None:
    assert name in FIELDS["optimizer"].metadata["choices"]


@pytest.mark.parametrize("name", ["step", "poly", "cosine"])
def test_amazons_schedulers_are_among_ours(name: str) -> None:
    assert name in FIELDS["lr_scheduler"].metadata["choices"]


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_says_what_it_means_in_one_sentence(name: str) -> None:
    meaning = FIELDS[name].metadata["meaning"]
    assert meaning.endswith(".")
    assert "\n" not in meaning
    assert len(meaning) <= 100


@pytest.mark.parametrize("name", FIELDS)
def test_choices_are_sorted_and_hold_the_default(name: str) -> None:
    choices = FIELDS[name].metadata["choices"]
    assert list(choices) == sorted(choices)
    assert not choices or FIELDS[name].default in (*choices, None)


@pytest.mark.parametrize("name", FIELDS)
def test_every_number_has_a_range(name: str) -> None:
    rule = FIELDS[name].metadata
    if KINDS[name][0] in (int, float) and not rule["choices"]:
        assert max(rule["at_least"], rule["above"]) >= 0


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_in_a_group(name: str) -> None:
    assert FIELDS[name].metadata["group"] in GROUPS


def test_what_is_allowed_is_said_in_few_words() -> None:
    words = {
        name: allowed(name) for name in ("output_stride", "pretrained", "epochs", "learning_rate", "flip", "budget")
    }
    assert words == {
        "output_stride": "8, 16, 32",
        "pretrained": "true, false",
        "epochs": "1 or more",
        "learning_rate": "above 0 to 10",
        "flip": "0 to 1",
        "budget": "above 0",
    }
    assert allowed("backbone") == ""


def test_the_defaults_are_settings() -> None:
    assert Settings() == Settings.of({name: item.default for name, item in FIELDS.items()})
