"""settings.py and values.py: what people may write, what they get, and how the rest is refused."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from pixelwise.errors import SettingsError
from pixelwise.settings import FIELDS, Settings, parse_loss
from pixelwise.values import duration_text, parse_duration, parse_money, unknown_name


def refusal(**values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("epochs", "12", 12),
        ("epochs", "1e3", 1000),
        ("epochs", 7.0, 7),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", 1, 1.0),
        ("pretrained", "False", False),
        ("early_stopping", "true", True),
        ("budget", "90", 90.0),
        ("budget", "1h30m", 5400.0),
        ("budget", 600, 600.0),
        ("budget", "none", None),
        ("num_classes", "None", None),
        ("num_classes", "21", 21),
        ("precision", "null", None),
        ("output_stride", "8", 8),
        ("lr_scheduler_step", "10, 20", (10, 20)),
        ("lr_scheduler_step", "[10,20]", (10, 20)),
        ("lr_scheduler_step", [10, 20], (10, 20)),
        ("lr_scheduler_step", 10, (10,)),
        ("lr_scheduler_step", "", ()),
        ("class_weights", "median_frequency", "median_frequency"),
        ("class_weights", "1,2,0.5", (1.0, 2.0, 0.5)),
        ("class_weights", [1, 2], (1.0, 2.0)),
        ("backbone", " resnet-50 ", "resnet-50"),
        ("backbone_weights", Path("trunk.safetensors"), "trunk.safetensors"),
    ],
)
def test_a_value_is_taken_as_text_json_or_python_has_it(name: str, written: Any, value: Any) -> None:
    taken = getattr(Settings.of({name: written}), name)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "many", "a whole number"),
        ("epochs", 1.5, "a whole number"),
        ("epochs", True, "a whole number"),
        ("epochs", "inf", "a whole number"),
        ("epochs", 10**400, "a whole number"),
        ("epochs", [3], "a whole number"),
        ("learning_rate", "fast", "a number"),
        ("learning_rate", False, "a number"),
        ("learning_rate", {}, "a number"),
        ("pretrained", "yes", "true or false"),
        ("pretrained", 1, "true or false"),
        ("backbone", 50, "a text"),
        ("budget", "20 parsecs", "a duration such as 90s, 20m or 1h30m"),
        ("budget", "", "a duration such as 90s, 20m or 1h30m"),
        ("budget", True, "a duration such as 90s, 20m or 1h30m"),
        ("lr_scheduler_step", "10;20", "epochs such as 10,20"),
        ("lr_scheduler_step", "1.5", "epochs such as 10,20"),
        ("lr_scheduler_step", ["inf"], "epochs such as 10,20"),
        ("class_weights", "median", "one of inverse_square_root, median_frequency, none or one number per class"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_was_expected(name: str, value: Any, expected: str) -> None:
    assert refusal(**{name: value}).startswith(f"{name} is {value!r}, expected {expected}")


@pytest.mark.parametrize("name", ["epochs", "learning_rate", "pretrained", "backbone", "loss", "class_weights"])
def test_a_setting_that_needs_a_value_refuses_none(name: str) -> None:
    assert refusal(**{name: None}).startswith(f"{name} has no value, expected ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "of at least 1"),
        ("num_classes", 1, "of at least 2 and of at most 254"),
        ("num_classes", 255, "of at least 2 and of at most 254"),
        ("learning_rate", 0, "above 0 and of at most 10"),
        ("learning_rate", "nan", "above 0 and of at most 10"),
        ("weight_decay", -0.1, "of at least 0 and of at most 1"),
        ("momentum", "inf", "of at least 0 and of at most 1"),
        ("crop_size", 16, "of at least 17"),
        ("base_size", 16, "of at least 17"),
        ("warmup", 0.6, "of at least 0 and of at most 0.5"),
        ("gradient_clipping", "inf", "of at least 0"),
        ("budget", "0s", "above 0"),
        ("budget", -3, "above 0"),
        ("seed", 2**32, "of at least 0 and of at most 4294967295"),
    ],
)
def test_a_number_outside_its_range_is_refused_with_the_range(name: str, value: Any, expected: str) -> None:
    assert refusal(**{name: value}) == f"{name} is {value!r}, expected a number {expected}."


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("algorithm", "deeplabv3-plus", "deeplabv3plus"),
        ("algorithm", "PSP", "psp"),
        ("optimizer", "adamW", "adamw"),
        ("lr_scheduler", "polynomial", "poly"),
        ("precision", "bf16", "bfloat16"),
        ("output_stride", 18, "8"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_the_nearest(name: str, value: Any, near: str) -> None:
    message = refusal(**{name: value})
    assert message.startswith(f"{name} is {value!r}, expected one of ")
    assert message.endswith(f" Did you mean {near!r}?")


def test_a_choice_that_resembles_nothing_is_refused_without_a_guess() -> None:
    assert refusal(output_stride=4) == "output_stride is 4, expected one of 8, 16, 32."


def test_an_unknown_setting_is_refused_with_the_nearest_and_all_known_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of({"epoch": 3}, source="run.json")
    message = str(caught.value)
    assert message.startswith("run.json: Unknown setting 'epoch'. Did you mean 'epochs'? Known: ")
    assert all(name in message for name in FIELDS)


def test_an_unknown_name_far_from_all_is_refused_without_a_guess() -> None:
    assert unknown_name("zzz", ["b", "a"], "colour") == "Unknown colour 'zzz'. Known: a, b."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale_min": 3}, "scale_min 3.0 is above scale_max 2.0. Lower scale_min."),
        ({"lr_scheduler": "step"}, "lr_scheduler is 'step' but lr_scheduler_step is empty. Give epochs"),
        ({"lr_scheduler_step": "20,10"}, "lr_scheduler_step is [20, 10], expected rising epochs from 1 on"),
        ({"lr_scheduler_step": "10,10"}, "lr_scheduler_step is [10, 10], expected rising epochs from 1 on"),
        ({"lr_scheduler_step": "0,10"}, "lr_scheduler_step is [0, 10], expected rising epochs from 1 on"),
        (
            {"lr_scheduler": "step", "lr_scheduler_step": "10", "budget": "20m"},
            "lr_scheduler 'step' counts epochs and a budget has none. Use poly, cosine or exponential.",
        ),
        ({"class_weights": "0,0"}, "class_weights is [0.0, 0.0], expected numbers from 0 on, not all 0."),
        ({"class_weights": "1,-1"}, "class_weights is [1.0, -1.0], expected numbers from 0 on"),
        ({"class_weights": "1,inf"}, "class_weights is [1.0, inf], expected numbers from 0 on"),
        ({"class_weights": "1,nan"}, "class_weights is [1.0, nan], expected numbers from 0 on"),
        ({"class_weights": ""}, "class_weights is [], expected numbers from 0 on"),
        (
            {"class_weights": "1,2", "num_classes": 3},
            "class_weights has 2 numbers but num_classes is 3. Give one per class.",
        ),
        ({"ema_decay": 1}, "ema_decay is 1, which would never learn."),
        (
            {"loss": "crossentropy"},
            "loss is 'crossentropy'. Unknown loss 'crossentropy'. Did you mean 'cross_entropy'?",
        ),
        ({"loss": ""}, "loss is ''. Unknown loss ''."),
        ({"loss": "dice+"}, "loss is 'dice+'. Unknown loss ''."),
        ({"loss": "dice*0.5"}, "loss is 'dice*0.5'. Unknown loss '0.5'."),
        ({"loss": "half*dice"}, "loss is 'half*dice': 'half' is not a number. Example: 0.5*dice."),
        ({"loss": "0*dice"}, "loss is '0*dice': weights must be above 0."),
        ({"loss": "-1*dice"}, "loss is '-1*dice': weights must be above 0."),
        ({"loss": "nan*dice"}, "loss is 'nan*dice': weights must be above 0."),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, Any], message: str) -> None:
    assert refusal(**values).startswith(message)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("20m", 1200.0),
        ("1h30m", 5400.0),
        ("1h", 3600.0),
        ("1h1m1s", 3661.0),
        ("0.5m", 30.0),
        (" 2M ", 120.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "m20", "20x", "1.2.3s", ".", "-5", "30m1h", "1h 30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - float's own message may come first
        parse_duration(text)


def test_a_sum_of_losses_is_read_term_by_term() -> None:
    assert parse_loss("cross_entropy + 0.5*dice+2 * lovasz") == [
        (1.0, "cross_entropy"),
        (0.5, "dice"),
        (2.0, "lovasz"),
    ]


FULL = {
    "algorithm": "psp",
    "budget": "20m",
    "num_classes": 3,
    "class_weights": [1, 2, 3],
    "loss": "cross_entropy+0.5*dice",
    "early_stopping": True,
    "lr_scheduler_step": [2, 4],
}


@pytest.mark.parametrize("values", [{}, FULL])
def test_settings_survive_a_round_trip_through_json(values: dict[str, Any]) -> None:
    settings = Settings.of(values)
    assert Settings.of(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.json", '{"epochs": 3, "lr_scheduler_step": [1, 2], "budget": "2m"}'),
        ("run.toml", 'epochs = 3\nlr_scheduler_step = [1, 2]\nbudget = "2m"'),
        ("run.yaml", "epochs: 3\nlr_scheduler_step: [1, 2]\nbudget: 2m"),
        ("run.yml", "epochs: 3\nlr_scheduler_step: 1,2\nbudget: 120"),
        ("marked.json", '\ufeff{"epochs": 3, "lr_scheduler_step": "1,2", "budget": 120.0}'),
    ],
)
def test_files_of_three_kinds_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    expected = Settings(epochs=3, lr_scheduler_step=(1, 2), budget=120.0)
    assert Settings.read(tmp_path / name) == expected


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"epochs": 3, "seed": 1}')
    settings = Settings.read(tmp_path / "run.json", {"epochs": "9"})
    assert (settings.epochs, settings.seed) == (9, 1)


def test_an_empty_yaml_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("# nothing yet\n")
    assert Settings.read(tmp_path / "run.yaml") == Settings()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", b"{", "is not valid JSON: "),
        ("run.toml", b"epochs 3", "is not valid TOML: "),
        ("run.yaml", b"epochs: [", "is not valid YAML: "),
        ("run.json", b"[1]", "found list, expected names and values of settings."),
        ("run.yaml", b"epochs", "found str, expected names and values of settings."),
        ("run.json", b"\xff\xfe", "cannot be read ("),
        ("run.json", b'{"epoch": 3}', "Unknown setting 'epoch'. Did you mean 'epochs'?"),
        ("run.json", b'{"epochs": 0}', "epochs is 0, expected a number of at least 1."),
        ("run.yaml", b"3: 4", "Unknown setting 3."),
    ],
)
def test_a_faulty_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        Settings.read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(SettingsError, match=r"cannot be read .* Give a JSON, TOML or YAML file of settings\."):
            Settings.read(path)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.epochs = 3  # type: ignore[misc]


def test_a_changed_copy_is_checked_and_leaves_the_original() -> None:
    settings = Settings(lr_scheduler_step=(1, 2))
    assert settings.changed(epochs="9") == Settings(lr_scheduler_step=(1, 2), epochs=9)
    assert settings.epochs == Settings().epochs
    with pytest.raises(SettingsError, match="epochs is 0"):
        settings.changed(epochs=0)
    with pytest.raises(SettingsError, match=r"Unknown setting 'epoch'\. Did you mean 'epochs'"):
        settings.changed(epoch=3)


@pytest.mark.parametrize("name", FIELDS)
def test_the_ends_of_every_range_are_inside_and_what_lies_beyond_is_not(name: str) -> None:
    rule = FIELDS[name].metadata
    companions = {"scale_min": {"scale_max": 100}, "scale_max": {"scale_min": 0.001}}
    for end, beyond in ((rule["at_least"], -1), (rule["at_most"], 1)):
        if math.isfinite(end) and (name, end) != ("ema_decay", 1):
            assert getattr(Settings(**{name: end, **companions.get(name, {})}), name) == end
            assert f"{name} is " in refusal(**{name: end + beyond})
    if math.isfinite(rule["above"]):
        assert f"{name} is " in refusal(**{name: rule["above"]})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45s"), (90, "1m30s"), (1200, "20m"), (5400, "1h30m"), (8000, "2h13m20s"), (0.4, "0s"), (59.7, "1m")],
)
def test_times_are_written_as_durations_are_read(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
    assert parse_duration(text) == round(seconds)


@pytest.mark.parametrize(
    ("text", "usd"),
    [("3usd", 3.0), ("2.5 USD", 2.5), ("3 usd", 3.0), ("$3", 3.0), ("$ .5", 0.5), ("3", None), ("3usd2", None),
     ("-3usd", None), ("usd", None), ("20m", None), (3, None), (None, None)],
)  # fmt: skip
def test_money_is_read(text: object, usd: float | None) -> None:
    assert parse_money(text) == usd


def test_money_alone_is_refused_with_what_makes_time_of_it() -> None:
    with pytest.raises(SettingsError, match=r"budget is '3usd', and what time money buys .*--price 0.736 or --inst"):
        Settings(budget="3usd")
