"""The whole trip on a tiny dataset: check, train, evaluate, predict, score, in Python and on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.labels import LabelTable
from tests.conftest import TINY_FLAGS

TINY = {"pretrained": False, "backbone": "mobilenetv2_035", "algorithm": "fcn", "crop_size": 32}
TINY |= {"mini_batch_size": 4, "precision": "float32"}


def test_the_run_folder_holds_what_users_rely_on(trained):
    names = {path.name for path in trained.iterdir()}
    assert {"settings.json", "metrics.jsonl", "checkpoints", "model", "log.txt", "tensorboard"} <= names
    assert {path.name for path in (trained / "model").iterdir()} == {"model.safetensors", "model.json"}
    assert {path.name for path in (trained / "checkpoints").iterdir()} == {"last.pt", "best.pt"}
    settings = json.loads((trained / "settings.json").read_text())
    assert settings["num_classes"] == 2
    assert settings["epochs"] == 2


def test_metrics_have_one_object_an_epoch_with_the_documented_names(trained):
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert list(rows[0]) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "validation_loss",
        "train_miou",
        "validation_miou",
        "train_pixel_accuracy",
        "validation_pixel_accuracy",
        "train_images_per_second",
        "seconds",
        "validation_images_per_second",
        "validation_miou_absent_as_zero",
        "validation_images",
        "class_weights_undone",
        "validated_weights",
    ]
    assert all(value is not None for row in rows for value in row.values())


def test_the_model_undoes_the_class_weights_as_far_as_its_epoch_says(trained):
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    facts = json.loads((trained / "model" / "model.json").read_text())
    best = rows[facts["provenance"]["data"]["epoch"] - 1]
    assert facts["prior"]["strength"] == best["class_weights_undone"] in (0, 0.25, 0.5, 0.75, 1)
    assert facts["provenance"]["data"]["weights"] == best["validated_weights"] in ("averaged", "raw")
    # Inverse square roots of the two classes' shares, of mean 1 over the training pixels.
    masks = [np.asarray(Image.open(path)) for path in (trained.parent / "dataset" / "train_annotation").iterdir()]
    shares = np.array([sum(np.sum(mask == i) for mask in masks) for i in (0, 1)], dtype=float)
    shares /= shares.sum()
    assert facts["prior"]["weights"] == pytest.approx(shares**-0.5 / (shares**0.5).sum())
    assert "of the class weights" in (trained / "report" / "index.html").read_text(encoding="utf-8")


def test_without_class_weights_nothing_is_undone(run, tmp_path, dataset):
    flags = [*TINY_FLAGS, "--epochs", "1", "--class-weights", "none", "--ema-decay", "0", "--quiet"]
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *flags)
    assert code == 0, err
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert (row["class_weights_undone"], row["validated_weights"]) == (0, "raw")
    assert json.loads((tmp_path / "run" / "model" / "model.json").read_text())["prior"] is None


def test_evaluating_the_bundle_gives_the_scores_that_training_reported(run, tmp_path, trained):
    dataset = trained.parent / "dataset"
    code, out, _err = run("evaluate", trained, dataset, "--output", tmp_path / "scores", "--json")
    assert code == 0
    printed = json.loads(out)
    assert printed == json.loads((tmp_path / "scores" / "scores.json").read_text())
    stored = json.loads((trained / "model" / "model.json").read_text())["scores"]
    assert printed["confusion"] == stored["confusion"]
    best = max(json.loads(line)["validation_miou"] for line in (trained / "metrics.jsonl").read_text().splitlines())
    assert printed["mean_iou"] == pytest.approx(best, abs=1e-12)


def test_scoring_predicted_masks_gives_the_evaluation(run, tmp_path, trained):
    dataset = trained.parent / "dataset"
    code, _out, _err = run("predict", trained, dataset / "validation", "--output", tmp_path / "masks")
    assert code == 0
    classes = ("--classes", dataset / "classes.json")
    code, out, _err = run("score", dataset / "validation_annotation", tmp_path / "masks", *classes, "--json")
    assert code == 0
    stored = json.loads((trained / "model" / "model.json").read_text())["scores"]
    assert json.loads(out)["confusion"] == stored["confusion"]


def test_masks_are_gray_pngs_of_the_images_size_with_overlays_and_probabilities(run, tmp_path, trained):
    image = tmp_path / "photo.jpg"
    Image.effect_noise((71, 39), 60).convert("RGB").save(image)
    code, out, _err = run(
        "predict", trained, image, "--output", tmp_path / "out", "--overlay", "--probabilities", "--json"
    )
    assert code == 0
    assert json.loads(out)["written"] == [str(tmp_path / "out" / "photo.png")]
    with Image.open(tmp_path / "out" / "photo.png") as mask:
        assert (mask.mode, mask.size) == ("L", (71, 39))
        assert set(np.unique(np.array(mask))) <= {0, 1}
    with Image.open(tmp_path / "out" / "photo_overlay.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (71, 39))
    shares = np.load(tmp_path / "out" / "photo_probabilities.npy")
    assert (shares.shape, shares.dtype) == ((2, 39, 71), np.float16)
    assert shares.sum(0) == pytest.approx(np.ones((39, 71)), abs=2e-3)


def test_the_last_line_says_how_to_look_at_masks_and_a_palette_is_one_way(run, tmp_path, trained):
    dataset = trained.parent / "dataset"
    _code, out, _err = run("predict", trained, dataset / "validation", "--output", tmp_path / "gray")
    last = out.splitlines()[-1]
    assert all(word in last for word in ("class ids", "black", "--overlay", "--palette"))
    command = ("predict", trained, dataset / "validation", "--output", tmp_path / "colours", "--palette")
    code, out, _err = run(*command)
    assert (code, "black" in out) == (0, False)
    labels = LabelTable.read(dataset / "classes.json")
    for gray in (tmp_path / "gray").iterdir():
        with Image.open(gray) as ids, Image.open(tmp_path / "colours" / gray.name) as shown:
            assert (ids.mode, shown.mode) == ("L", "P")
            assert np.array_equal(np.asarray(ids), np.asarray(shown))
            assert shown.getpalette()[:6] == [*labels.colors[0], *labels.colors[1]]
    code, _out, err = run(*command, "--as-source")
    assert (code, "Give one" in err) == (2, True)


def test_predict_takes_files_folders_and_patterns_and_keeps_subfolders(run, tmp_path, trained):
    photos = tmp_path / "photos"
    for name in ("a.png", "day/b.png", "day/c.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(photos / name)
    run("predict", trained, photos, "--output", tmp_path / "m1")
    assert sorted(str(p.relative_to(tmp_path / "m1")) for p in (tmp_path / "m1").rglob("*.png")) == [
        "a.png",
        "day/b.png",
        "day/c.png",
    ]
    run("predict", trained, f"{photos}/day/*.jpg", photos / "a.png", "--output", tmp_path / "m2")
    assert sorted(path.name for path in (tmp_path / "m2").iterdir()) == ["a.png", "c.png"]


def test_what_predict_leaves_out_is_named_and_the_rest_is_written(run, tmp_path, trained):
    photos = tmp_path / "photos"
    photos.mkdir()
    frames = [Image.new("RGB", (40, 40), (200, 20 * i, 0)) for i in range(3)]
    frames[0].save(photos / "a.gif", save_all=True, append_images=frames[1:])
    (photos / "notes.txt").write_text("words")
    command = ("predict", trained, photos, "--output", tmp_path / "masks")
    assert run(*command)[0] == 0
    (photos / "layers.psd").write_bytes(b"8BPS\0\1" + bytes(50))
    code, out, _err = run(*command)
    assert code == 1
    assert "layers.psd" in out
    code, out, _err = run(*command, "--json")
    report = json.loads(out)
    assert (code, len(report["left_out"]), report["passed_over"]) == (1, 1, 1)
    assert report["notes"] == [f"{photos / 'a.gif'}: the first of 3 frames was used"]
    assert report["written"] == [str(tmp_path / "masks" / "a.png")]


def test_tiles_see_the_whole_image(run, tmp_path, trained):
    Image.effect_noise((150, 130), 60).convert("RGB").save(tmp_path / "large.png")
    code, _out, _err = run("predict", trained, tmp_path / "large.png", "--output", tmp_path / "m", "--tile", "64")
    assert code == 0
    with Image.open(tmp_path / "m" / "large.png") as mask:
        assert mask.size == (150, 130)


def test_three_lines_of_python_predict(trained, dataset):
    model = pixelwise.load(trained / "model")
    prediction = model.predict(dataset / "test" / "test0.png")
    assert prediction.class_ids.shape == (48, 64)
    assert prediction.class_ids.dtype == np.uint8


def test_python_trains_like_the_command_line(tmp_path, trained):
    result = pixelwise.train(
        trained.parent / "dataset", output=tmp_path / "run", epochs=2, quiet=True, plan="fixed", **TINY
    )
    ours = (tmp_path / "run" / "model" / "model.safetensors").read_bytes()
    assert ours == (trained / "model" / "model.safetensors").read_bytes()
    assert result.bundle == tmp_path / "run" / "model"
    assert 0 <= result.scores.mean_iou <= 1


def test_settings_come_from_a_file_and_flags_win(run, tmp_path, dataset):
    config = tmp_path / "settings.yaml"
    config.write_text("epochs: 9\noptimizer: sgd\n")
    flags = [*TINY_FLAGS, "--epochs", "1", "--quiet"]
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", "--config", config, *flags)
    assert code == 0, err
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["epochs"], settings["optimizer"]) == (1, "sgd")


def test_channels_can_lie_anywhere(run, tmp_path, dataset):
    channels = []
    for i, name in enumerate(("train", "train_annotation", "validation", "validation_annotation")):
        moved = (dataset / name).rename(tmp_path / f"folder{i}")
        channels += [f"--{name.replace('_', '-')}", moved]
    code, out, _err = run("check", *channels, "--json")
    assert code == 0
    assert json.loads(out)["splits"]["train"]["images"] == 8


def test_a_budget_ends_the_run_in_time_annealed_and_evaluated(run, tmp_path, dataset):
    flags = [flag for flag in TINY_FLAGS if flag not in ("--epochs", "2")]
    import pixelwise.api.training  # noqa: F401  # or the start of this process would be within the 12 s

    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *flags, "--budget", "12s", "--quiet")
    assert code == 0, err
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["validation_miou"] is not None
    assert rows[-1]["learning_rate"] < 0.2 * max(row["learning_rate"] for row in rows)
    assert rows[-1]["seconds"] < 15


@pytest.mark.parametrize("loss", ["focal+0.5*dice", "ohem+lovasz"])
def test_other_losses_weights_and_schedules_train(run, tmp_path, dataset, loss):
    flags = ["--loss", loss, "--class-weights", "median_frequency", "--lr-scheduler", "step"]
    flags += ["--lr-scheduler-step", "1", "--optimizer", "nag", "--gradient-accumulation", "2", "--blur", "0.5"]
    flags += ["--ema-decay", "0", "--validation-crop-size", "32", "--base-size", "64", "--quiet"]
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *TINY_FLAGS, *flags)
    assert code == 0, err
    assert (tmp_path / "run" / "model" / "model.json").is_file()


def test_early_stopping_stops(run, tmp_path, dataset):
    flags = ["--epochs", "9", "--early-stopping", "--early-stopping-min-epochs", "1", "--early-stopping-patience", "0"]
    flags += ["--early-stopping-tolerance", "1"]
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *TINY_FLAGS, *flags)
    assert code == 0, err
    assert "Stopped early" in err
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) < 9


@pytest.mark.parametrize("algorithm", ["deeplab", "deeplabv3plus", "dilated", "psp"])
def test_every_algorithm_makes_the_trip(run, tmp_path, dataset, algorithm):
    flags = [*TINY_FLAGS, "--algorithm", algorithm, "--epochs", "1", "--quiet"]
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *flags)
    assert code == 0, err
    code, _out, err = run("predict", tmp_path / "run", dataset / "test", "--output", tmp_path / "masks")
    assert code == 0, err
    assert len(list(Path(tmp_path / "masks").iterdir())) == 2


def test_training_and_evaluating_write_a_report(run, tmp_path, trained):
    page = trained / "report" / "index.html"
    assert "square" in page.read_text(encoding="utf-8")
    bundle = json.loads((trained / "model" / "model.json").read_text())
    assert 0.05 <= bundle["temperature"] <= 20

    dataset = trained.parent / "dataset"
    code, _out, err = run("evaluate", trained, dataset, "--split", "train", "--output", tmp_path / "scores")
    assert code == 0, err
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {"scores.json", "images.json", "report"}
    (tmp_path / "scores" / "report" / "index.html").unlink()
    code, out, err = run("report", tmp_path / "scores", "--figures", tmp_path / "figures")
    assert (code, out.strip()) == (0, str(tmp_path / "scores" / "report" / "index.html")), err
    assert "square" in (tmp_path / "scores" / "report" / "index.html").read_text(encoding="utf-8")
    assert len(list((tmp_path / "figures").glob("*.png"))) > 5


def test_two_evaluations_are_compared_image_by_image(run, tmp_path, trained):
    dataset = trained.parent / "dataset"
    for name in ("a", "b"):
        assert run("evaluate", trained, dataset, "--output", tmp_path / name)[0] == 0
    code, out, _err = run("compare", tmp_path / "a", tmp_path / "b", "--json")
    assert code == 0
    assert json.loads(out)["mean_iou"]["difference"] == 0
    assert run("evaluate", trained, dataset, "--split", "train", "--output", tmp_path / "c")[0] == 0
    code, _out, err = run("compare", tmp_path / "a", tmp_path / "c")
    assert code == 1
    assert "validation0" in err
    code, _out, err = run("compare", tmp_path / "a", tmp_path / "nowhere")
    assert code == 1
    assert "nowhere" in err


@pytest.mark.parametrize("verb", ["evaluate", "score", "check"])
def test_an_output_that_is_a_file_is_refused_before_the_work(run, tmp_path, trained, verb, monkeypatch):
    def not_yet(*_arguments, **_options):
        raise AssertionError("the work began")

    monkeypatch.setattr("pixelwise.api.evaluations.evaluate_pairs", not_yet)
    monkeypatch.setattr("pixelwise.api.scores.score_folders", not_yet)
    monkeypatch.setattr("pixelwise.api.datasets.check_dataset", not_yet)
    (tmp_path / "file").write_text("mine")
    dataset = trained.parent / "dataset"
    masks = dataset / "validation_annotation"
    words = {"evaluate": (trained, dataset), "score": (masks, masks), "check": (dataset,)}[verb]
    code, _out, err = run(verb, *words, "--output", tmp_path / "file")
    assert code == 2
    assert "file: cannot be written" in err
    assert (tmp_path / "file").read_text() == "mine"
