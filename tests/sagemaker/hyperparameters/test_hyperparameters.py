"""hyperparameters.py: the published table, the texts that SDKs send, refusals in the container's sentences."""

import dataclasses
import json
from typing import Any

import pytest

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.hyperparameters.names import EXTENSIONS
from pixelwise.sagemaker.hyperparameters.parse import (
    Hyperparameters,
    default_configuration,
    parse,
    sample_count_warning,
    to_settings,
)
from pixelwise.settings import FIELDS

REQUIRED = {"num_classes": "21", "num_training_samples": "1464"}

# docs.aws.amazon.com/sagemaker/latest/dg/segmentation-hyperparameters.html, as a person copies it: name, default,
# texts at the borders that are valid, texts just outside that are not. precision_dtype is the container's own.
TRUTHS = (["True", "False"], ["maybe", "2", ""])
POSITIVE = (["1", "100000"], ["0", "-1", "1.5", "many"])
ABOVE_16 = (["17", "2000"], ["16", "0", "240.5"])
SHARE = (["0", "1", "0.5", "1e-3"], ["-0.1", "1.1", "none of it", "nan", "inf"])
TABLE = [
    ("backbone", "resnet-50", ["resnet-50", "resnet-101"], ["resnet-152", "vgg16"]),
    ("use_pretrained_model", True, *TRUTHS),
    ("algorithm", "fcn", ["fcn", "psp", "deeplab"], ["hourglass"]),
    ("num_classes", None, ["2", "254"], ["1", "255", "0", "2.5", "many"]),
    ("num_training_samples", None, *POSITIVE),
    ("base_size", 520, *ABOVE_16),
    ("crop_size", 240, *ABOVE_16),
    ("early_stopping", False, *TRUTHS),
    ("early_stopping_min_epochs", 5, ["0", "5"], ["soon", "0.5"]),
    ("early_stopping_patience", 4, ["0", "4"], ["much", "0.5"]),
    ("early_stopping_tolerance", 0.0, *SHARE),
    ("epochs", 10, *POSITIVE),
    ("gamma1", 0.9, *SHARE),
    ("gamma2", 0.9, *SHARE),
    ("learning_rate", 0.001, ["1", "1e-6", ".5"], ["0", "-0.001", "1.01", "fast", "nan"]),
    ("lr_scheduler", "poly", ["poly", "cosine"], ["linear"]),
    ("lr_scheduler_factor", 0.1, *SHARE),
    ("lr_scheduler_step", (), ["10", "10,20", "10, 20"], ["0,10", "ten", "10;20", "1.5"]),
    ("mini_batch_size", 16, *POSITIVE),
    ("momentum", 0.9, ["0.1", "1"], ["0", "1.1", "much"]),
    ("optimizer", "sgd", ["adam", "adagrad", "nag", "rmsprop", "sgd"], ["adadelta"]),
    ("syncbn", False, *TRUTHS),
    ("validation_mini_batch_size", 16, *POSITIVE),
    ("weight_decay", 0.0001, ["0.5", "1e-8"], ["0", "1", "-1"]),
    ("precision_dtype", "float32", ["float32", "float16"], ["int8"]),
]

# The example job of a public course notebook, in the types that its Estimator call has.
NOTEBOOK = {
    "num_classes": 5,
    "num_training_samples": 1000,
    "algorithm": "deeplab",
    "backbone": "resnet-50",
    "use_pretrained_model": True,
    "epochs": 30,
    "mini_batch_size": 8,
    "learning_rate": 0.001,
    "lr_scheduler": "poly",
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 0.0001,
    "crop_size": 480,
}


def job(**texts: str) -> Hyperparameters:
    return parse({**REQUIRED, **texts})


def refusal(**texts: str) -> str:
    with pytest.raises(SettingsError) as caught:
        job(**texts)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(("name", "default", "valid", "wrong"), TABLE)
def test_the_published_table_is_ours(name: str, default: Any, valid: list[str], wrong: list[str]) -> None:
    if default is not None:
        found = getattr(job(), name)
        assert found == default
        assert type(found) is type(default)
    for text in valid:
        job(**{name: text})
    for text in wrong:
        assert f"'{text}'" in refusal(**{name: text})


def test_no_published_name_is_missing_and_none_is_added_but_our_extensions() -> None:
    published = {name for name, *_ in TABLE}
    names = {item.name for item in dataclasses.fields(Hyperparameters)}
    private = {"workers", "aux_loss", "aux_weight", "logging_frequency"}  # _workers and so on
    told = {"extensions", "given", "notes", "warnings"}
    assert names == published | private | told | {"validation_crop_size", "strict_hyperparameters"}


def test_the_defaults_are_those_that_the_container_prints() -> None:
    defaults = default_configuration()
    assert defaults["epochs"] == "10"
    assert defaults["use_pretrained_model"] == "True"
    assert (defaults["_workers"], defaults["_aux_loss"], defaults["_aux_weight"]) == ("16", "True", "0.5")
    assert defaults["_logging_frequency"] == "20"
    assert "num_classes" not in defaults


@pytest.mark.parametrize("encode", [str, json.dumps, lambda value: json.dumps(str(value))])
def test_the_notebooks_job_is_accepted_as_every_sdk_sends_it(encode: Any) -> None:
    texts = {name: value if isinstance(value, str) else encode(value) for name, value in NOTEBOOK.items()}
    found = parse(texts)
    assert {name: getattr(found, name) for name in NOTEBOOK} == NOTEBOOK
    assert found.notes == found.warnings == ()


def test_the_notebooks_job_is_accepted_with_quotes_around_every_text() -> None:
    found = parse({name: json.dumps(str(value)) for name, value in NOTEBOOK.items()})
    assert {name: getattr(found, name) for name in NOTEBOOK} == NOTEBOOK


def test_the_notebooks_job_trains_what_it_says() -> None:
    settings = to_settings(parse({k: str(v) for k, v in NOTEBOOK.items()}), num_training_images=1000)
    assert (settings.algorithm, settings.backbone, settings.output_stride) == ("deeplab", "resnet-50", 8)
    assert (settings.num_classes, settings.epochs, settings.mini_batch_size) == (5, 30, 8)
    assert (settings.crop_size, settings.validation_crop_size, settings.base_size) == (480, 480, 520)
    assert (settings.lr_scheduler, settings.optimizer, settings.momentum) == ("poly", "sgd", 0.9)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("use_pretrained_model", "FALSE", False),
        ("use_pretrained_model", "0", False),
        ("use_pretrained_model", "yes", True),
        ("use_pretrained_model", '"False"', False),
        ("epochs", "10.0", 10),
        ("epochs", " 12 ", 12),
        ("epochs", "1e1", 10),
        ("optimizer", '"adam"', "adam"),
        ("optimizer", "RMSProp", "rmsprop"),
        ("optimizer", "adamw", "adamw"),
        ("backbone", "resnet50", "resnet-50"),
        ("backbone", "resnet_50", "resnet-50"),
        ("backbone", "ResNet101", "resnet-101"),
        ("algorithm", "FCN", "fcn"),
        ("algorithm", "deeplabv3", "deeplab"),
        ("algorithm", "deeplab-v3", "deeplab"),
        ("algorithm", "pspnet", "psp"),
        ("lr_scheduler_step", "[10, 20]", (10, 20)),
        ("lr_scheduler_step", '"10, 20"', (10, 20)),
        ("lr_scheduler_step", '["10", "20"]', (10, 20)),
        ("lr_scheduler_step", "", ()),
        ("momentum", "None", 0.9),
        ("momentum", "null", 0.9),
        ("validation_crop_size", "320", 320),
    ],
)
def test_a_value_is_read_in_every_encoding(name: str, text: str, value: Any) -> None:
    assert getattr(job(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("alias", "name", "text", "value"),
    [
        ("sync_bn", "syncbn", "True", True),
        ("batch_size", "mini_batch_size", "4", 4),
        ("lr", "learning_rate", "0.01", 0.01),
    ],
)
def test_an_alias_is_read_as_the_published_name(alias: str, name: str, text: str, value: Any) -> None:
    found = job(**{alias: text})
    assert getattr(found, name) == value
    assert found.notes == (f"Hyperparameter '{alias}' is read as '{name}'.",)


def test_a_name_and_its_alias_must_agree() -> None:
    job(syncbn="True", sync_bn="True")
    assert "'syncbn' is given twice" in refusal(syncbn="True", sync_bn="False")


def test_what_the_platform_adds_is_ignored() -> None:
    found = job(
        _tuning_objective_metric="validation:mIOU",
        sagemaker_program="train.py",
        sagemaker_region="us-west-2",
        _kvstore="device",
    )
    assert found.given == {"num_classes", "num_training_samples"}
    assert len(found.notes) == 4


def test_the_containers_private_names_are_honoured() -> None:
    found = job(_workers="4", _aux_loss="False", _aux_weight="0.4", _logging_frequency="5")
    assert (found.workers, found.aux_loss, found.aux_weight, found.logging_frequency) == (4, False, 0.4, 5)
    settings = to_settings(found, num_training_images=1464)
    assert (settings.num_workers, settings.aux_loss_weight) == (4, 0.0)


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    text = refusal(learning_rat="0.1")
    assert "Additional hyperparameters are not allowed ('learning_rat' was unexpected)" in text
    assert "Did you mean 'learning_rate'?" in text
    assert "('foo', 'bar' were unexpected)" in refusal(foo="1", bar="2")


def test_an_unknown_name_is_only_a_warning_when_the_job_says_so() -> None:
    found = job(learning_rat="0.1", strict_hyperparameters="False")
    assert "'learning_rat' was unexpected" in found.warnings[0]
    assert found.learning_rate == 0.001


def test_missing_names_are_told_together() -> None:
    with pytest.raises(SettingsError) as caught:
        parse({"epochs": "3"})
    sentence = "No value(s) were specified for 'num_classes', 'num_training_samples' which are required hyperpara"
    assert sentence in str(caught.value)


def test_a_wrong_choice_is_refused_in_the_containers_words() -> None:
    assert (
        "The value 'adadelta' is not valid for the 'optimizer' hyperparameter which accepts one of the following: "
        "'sgd', 'adam', 'rmsprop', 'adagrad', 'nag'" in refusal(optimizer="adadelta")
    )


def test_a_wrong_type_is_refused_in_the_containers_words() -> None:
    assert refusal(epochs="many") == (
        "The value for hyperparameter 'epochs' should be of type integer, but provided 'many'. "
        "Please provide a valid 'integer' value and try again."
    )
    assert "should be of type boolean, but provided 'on'" in refusal(syncbn="on")


def test_a_number_outside_is_refused_in_the_containers_words() -> None:
    head = "The value '255' is not valid for the 'num_classes' hyperparameter which expects one of the following: "
    text = refusal(num_classes="255")
    assert text.startswith(f"{head}a string which matches the pattern '")
    assert text.endswith("'; or an integer between 2 and 254")
    assert refusal(crop_size="16").endswith("'; or an integer greater than 16")
    assert refusal(weight_decay="1").endswith("'; or a number greater than 0 and less than 1")


def test_every_refusal_fits_into_the_failure_file() -> None:
    for texts in ({"zzz": "1"}, {"num_classes": "255"}, {"optimizer": "adadelta"}, {"epochs": "x"}):
        assert len(refusal(**texts)) <= 1000


def test_the_step_schedule_needs_its_epochs() -> None:
    text = refusal(lr_scheduler="step")
    assert "No value(s) were specified for 'lr_scheduler_step' which are required hyperparameter(s)" in text


def test_extensions_are_our_settings_under_their_own_names() -> None:
    assert set(EXTENSIONS) < set(FIELDS)
    found = job(class_weights="median_frequency", loss="cross_entropy+0.5*dice", seed="7", deterministic="1")
    settings = to_settings(found, num_training_images=1464)
    assert (settings.class_weights, settings.loss) == ("median_frequency", "cross_entropy+0.5*dice")
    assert (settings.seed, settings.deterministic) == (7, True)
    assert "seed is 'x', expected a whole number" in refusal(seed="x")
    assert "scale_min" in refusal(scale_min="3")  # above scale_max


def test_a_wrong_count_of_samples_is_a_warning_that_names_both() -> None:
    text = sample_count_warning(job(), 1449)
    assert text is not None
    assert "1464" in text
    assert "1449" in text
    assert sample_count_warning(job(), 1464) is None


def test_the_iterations_are_those_of_the_public_log() -> None:
    assert job().iterations_per_epoch == 91  # 1464 images, batches of 16


def test_the_configuration_can_be_read_again() -> None:
    found = job(lr_scheduler="step", lr_scheduler_step="10, 20", class_weights="1,2,0.5,1,1", num_classes="5")
    again = parse(found.to_texts())
    assert again.to_texts() == found.to_texts()
    assert again.lr_scheduler_step == (10, 20)
    assert again.extensions == {"class_weights": (1.0, 2.0, 0.5, 1.0, 1.0)}
