"""What people get wrong, through the command line: one clear message, the right exit code, nothing lost."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY_FLAGS, draw_pair


@pytest.fixture
def refused(run):
    """Run a command that must fail; return what it said after checking that it said it well."""

    def call(*arguments, code, words):
        found, _out, err = run(*arguments)
        assert found == code, err
        assert "Traceback" not in err
        for word in words:
            assert word in err, f"{word!r} is not in: {err}"
        return err

    return call


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


USAGE = {
    "no command": ((), "COMMAND"),
    "an unknown command": (("trian",), "trian"),
    "an unknown flag": (("train", "D", "--output", "R", "--epoch", "3"), "--epochs"),
    "an abbreviated flag": (("train", "D", "--outp", "R"), "--output"),
    "no output": (("train", "D"), "--output"),
    "an unknown algorithm": (("train", "D", "--output", "R", "--algorithm", "deeplabv3"), "deeplabv3plus"),
    "an unknown optimizer": (("train", "D", "--output", "R", "--optimizer", "adadelta"), "adagrad"),
    "an unknown loss": (("train", "D", "--output", "R", "--loss", "cross_entropy+dise"), "dice"),
    "epochs that are no number": (("train", "D", "--output", "R", "--epochs", "many"), "whole number"),
    "epochs of zero": (("train", "D", "--output", "R", "--epochs", "0"), "at least 1"),
    "a negative learning rate": (("train", "D", "--output", "R", "--learning-rate", "-1"), "above 0"),
    "a learning rate that is not a number": (("train", "D", "--output", "R", "--learning-rate", "nan"), "number"),
    "a budget that is no time": (("train", "D", "--output", "R", "--budget", "soon"), "20m"),
    "a tiny crop": (("train", "D", "--output", "R", "--crop-size", "16"), "at least 17"),
    "one class": (("train", "D", "--output", "R", "--num-classes", "1"), "at least 2"),
    "255 classes": (("train", "D", "--output", "R", "--num-classes", "255"), "at most 254"),
    "scales in the wrong order": (("train", "D", "--output", "R", "--scale-min", "3"), "scale_max"),
    "steps without epochs": (("train", "D", "--output", "R", "--lr-scheduler", "step"), "lr_scheduler_step"),
    "an unknown precision": (("train", "D", "--output", "R", "--precision", "float64"), "bfloat16"),
    "a config that is not there": (("train", "D", "--output", "R", "--config", "no.yaml"), "no.yaml"),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_wrong_command_line_exits_with_2_before_anything_is_written(refused, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    arguments, word = USAGE[case]
    refused(*arguments, code=2, words=[word])
    assert list(tmp_path.iterdir()) == []


def train(refused, dataset, output, *flags, code, words):
    return refused("train", dataset, "--output", output, *TINY_FLAGS, *flags, code=code, words=words)


def test_a_dataset_that_does_not_exist(refused, tmp_path):
    train(refused, tmp_path / "nowhere", tmp_path / "run", code=1, words=["nowhere", "does not exist"])


def test_a_dataset_that_is_a_file(refused, tmp_path, dataset):
    train(refused, dataset / "classes.json", tmp_path / "run", code=1, words=["classes.json", "file"])


def test_no_dataset_at_all(refused, tmp_path):
    refused("train", "--output", tmp_path / "run", code=1, words=["train"])


def test_a_dataset_without_validation_says_what_it_found(refused, tmp_path, dataset):
    (dataset / "validation").rename(dataset / "val")
    words = ["validation", "val"]
    train(refused, dataset, tmp_path / "run", code=1, words=words)


def test_an_empty_channel(refused, tmp_path, dataset):
    shutil.rmtree(dataset / "train")
    (dataset / "train").mkdir()
    train(refused, dataset, tmp_path / "run", code=1, words=["train"])


def test_all_faults_of_the_files_come_in_one_report_and_no_run_begins(refused, tmp_path, dataset):
    masks, images = dataset / "train_annotation", dataset / "train"
    Image.new("RGB", (64, 48), (255, 0, 0)).save(masks / "train0.png")
    Image.fromarray(np.full((48, 64), 7, dtype=np.uint8)).save(masks / "train1.png")
    Image.new("L", (10, 10)).save(masks / "train2.png")
    (masks / "train3.png").write_bytes((masks / "train3.png").read_bytes()[:60])
    (masks / "train4.png").unlink()
    (images / "train5.png").write_bytes(b"")
    (images / "train6.png").write_text("not an image")
    words = [f"train{i}.png" for i in range(7)] + ["10 x 10"]
    train(refused, dataset, tmp_path / "run", code=1, words=words)
    assert not (tmp_path / "run" / "model").exists()
    assert not (tmp_path / "run" / "settings.json").exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "JSON"),
        ('["ground", "square"]', "object"),
        ('{"0": "ground", "2": "square"}', "0, 1, 2"),
        ('{"0": "ground", "1": "ground"}', "ground"),
        ('[{"id": 0, "name": "a", "color": "blueish"}, {"id": 1, "name": "b"}]', "#rrggbb"),
    ],
)
def test_a_classes_file_that_cannot_be_used(refused, tmp_path, dataset, content, word):
    (dataset / "classes.json").write_text(content)
    train(refused, dataset, tmp_path / "run", code=1, words=["classes.json", word])


def test_fewer_classes_than_the_masks_have(refused, tmp_path, dataset):
    (dataset / "classes.json").unlink()
    Image.fromarray(np.full((48, 64), 2, dtype=np.uint8)).save(dataset / "train_annotation" / "train0.png")
    train(refused, dataset, tmp_path / "run", "--num-classes", "2", code=1, words=["train0.png", "2"])


@pytest.mark.parametrize("number", ["-3", "0", "1", "255"])
def test_a_number_of_classes_there_cannot_be(refused, tmp_path, dataset, number):
    (dataset / "classes.json").unlink()
    refused("check", dataset, "--num-classes", number, code=2, words=["num_classes", number, "254"])
    truth = dataset / "test_annotation"
    refused("score", truth, truth, "--num-classes", number, code=2, words=["num_classes", number, "254"])


def test_class_weights_of_another_number_than_the_classes(refused, tmp_path, dataset):
    train(refused, dataset, tmp_path / "run", "--class-weights", "1,2,3", code=2, words=["class_weights", "3", "2"])


def test_an_unknown_backbone_gets_the_nearest_names(refused, tmp_path, dataset):
    train(refused, dataset, tmp_path / "run", "--backbone", "resnet52", code=2, words=["resnet52", "resnet5"])


def test_pretrained_weights_without_a_network_name_both_remedies(refused, tmp_path, dataset, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    words = ["--backbone-weights", "--no-pretrained"]
    train(refused, dataset, tmp_path / "run", "--pretrained", code=1, words=words)


def test_a_start_that_failed_does_not_block_the_folder(refused, run, tmp_path, dataset):
    wrong = ("--backbone-weights", "no.safetensors")
    train(refused, dataset, tmp_path / "run", *wrong, code=1, words=["no.safetensors"])
    code, _out, err = run("train", dataset, "--output", tmp_path / "run", *TINY_FLAGS, "--epochs", "1", "--quiet")
    assert code == 0, err


def test_backbone_weights_that_do_not_exist(refused, tmp_path, dataset):
    train(refused, dataset, tmp_path / "run", "--backbone-weights", "no.safetensors", code=1, words=["no.safetensors"])


def test_backbone_weights_that_are_something_else(refused, tmp_path, dataset):
    weights = tmp_path / "weights.safetensors"
    weights.write_text("hello")
    train(refused, dataset, tmp_path / "run", "--backbone-weights", weights, code=1, words=["weights.safetensors"])


def test_a_batch_of_one_is_refused_because_of_batchnorm(refused, tmp_path, dataset):
    words = ["BatchNorm", "mini_batch_size"]
    train(refused, dataset, tmp_path / "run", "--mini-batch-size", "1", code=2, words=words)


def test_a_device_that_does_not_exist(refused, tmp_path, dataset):
    train(refused, dataset, tmp_path / "run", "--device", "cuda:99", code=2, words=["cuda:99"])
    train(refused, dataset, tmp_path / "run", "--device", "tpu", code=2, words=["tpu"])


def test_an_output_folder_that_holds_a_run_is_not_touched(refused, trained):
    before = files_below(trained)
    train(refused, trained.parent / "dataset", trained, code=2, words=["--resume"])
    assert files_below(trained) == before


def test_an_output_folder_that_holds_something_else_is_not_touched(refused, tmp_path, dataset):
    before = files_below(dataset)
    train(refused, dataset, dataset, code=2, words=["not empty"])
    assert files_below(dataset) == before


def test_an_output_that_is_a_file(refused, tmp_path, dataset):
    (tmp_path / "run").write_text("mine")
    train(refused, dataset, tmp_path / "run", code=2, words=["is a file"])
    assert (tmp_path / "run").read_text() == "mine"


def test_resuming_what_never_began(refused, tmp_path, dataset):
    train(refused, dataset, tmp_path / "run", "--resume", code=1, words=["no run to resume"])


def test_resuming_with_another_setting(refused, tmp_path, trained):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    dataset = trained.parent / "dataset"
    words = ["learning_rate", "same settings"]
    refused("train", dataset, "--output", run, "--resume", "--learning-rate", "0.5", code=2, words=words)


def test_resuming_on_other_images(refused, tmp_path, trained):
    run, dataset = tmp_path / "run", tmp_path / "dataset"
    shutil.copytree(trained, run)
    shutil.copytree(trained.parent / "dataset", dataset)
    draw_pair(dataset, "train", "another", seed=1)
    refused("train", dataset, "--output", run, "--resume", code=2, words=["not those the run began with"])


def test_resuming_from_a_damaged_checkpoint(refused, tmp_path, trained):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "checkpoints" / "last.pt").write_bytes(b"damaged")
    refused("train", trained.parent / "dataset", "--output", run, "--resume", code=1, words=["last.pt"])


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("settings.yaml", "epochs: [1", "YAML"),
        ("settings.json", '{"epoch": 3}', "epochs"),
        ("settings.toml", "epochs = 'x'", "whole number"),
        ("settings.json", "[]", "names and values"),
    ],
)
def test_a_config_file_that_cannot_be_used(refused, tmp_path, dataset, name, content, word):
    config = tmp_path / name
    config.write_text(content)
    refused("train", dataset, "--output", tmp_path / "run", "--config", config, code=2, words=[name, word])


def test_a_model_that_does_not_exist(refused, tmp_path, dataset):
    refused("evaluate", tmp_path / "no-model", dataset, code=1, words=["no-model"])


def test_a_model_folder_without_a_model(refused, tmp_path, dataset):
    (tmp_path / "model").mkdir()
    refused("evaluate", tmp_path / "model", dataset, code=1, words=["model"])


def test_a_model_whose_weights_were_cut_short(refused, tmp_path, trained, dataset):
    model = tmp_path / "model"
    shutil.copytree(trained / "model", model)
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-100])
    refused("predict", model, dataset / "test", "--output", tmp_path / "masks", code=1, words=["model.safetensors"])
    assert not (tmp_path / "masks").exists()


def test_a_split_that_does_not_exist(refused, trained, dataset):
    shutil.rmtree(dataset / "test")
    shutil.rmtree(dataset / "test_annotation")
    refused("evaluate", trained, dataset, "--split", "test", code=1, words=["test"])
    refused("evaluate", trained, dataset, "--split", "tset", code=2, words=["tset", "validation"])


def test_a_dataset_with_other_classes_than_the_model(refused, trained, dataset):
    (dataset / "classes.json").write_text(json.dumps({"0": "square", "1": "ground"}))
    refused("evaluate", trained, dataset, code=1, words=["square, ground", "ground, square"])


def test_truth_in_0_and_255_is_no_score_until_it_is_repaired(run, refused, trained, dataset, tmp_path):
    for path in dataset.glob("*_annotation/*.png"):
        with Image.open(path) as mask:
            redrawn = mask.point([0, 255] + [255] * 254)
        redrawn.save(path)
    words = ["mask-0-255", "as `pixelwise check DATASET --fix OUT`", "The model cannot be scored"]
    refused("evaluate", trained, dataset, code=1, words=words)
    assert run("check", dataset, "--fix", tmp_path / "fixed")[0] == 0
    assert run("evaluate", trained, tmp_path / "fixed", "--output", tmp_path / "scores")[0] == 0
    # Where the table says that 255 is ignored, it is.
    entries = [{"id": 0, "name": "ground"}, {"id": 1, "name": "square"}, {"id": 255, "name": "void", "source": 255}]
    (dataset / "classes.json").write_text(json.dumps(entries))
    assert run("evaluate", trained, dataset, "--output", tmp_path / "ignored")[0] == 0


def test_images_that_do_not_exist(refused, tmp_path, trained):
    words = ["nothing.jpg"]
    refused("predict", trained, tmp_path / "nothing.jpg", "--output", tmp_path / "masks", code=1, words=words)
    refused("predict", trained, tmp_path / "*.jpg", "--output", tmp_path / "masks", code=1, words=["*.jpg"])
    (tmp_path / "empty").mkdir()
    refused("predict", trained, tmp_path / "empty", "--output", tmp_path / "masks", code=1, words=["empty"])


def test_two_images_of_one_name(refused, tmp_path, trained, dataset):
    (tmp_path / "other").mkdir()
    shutil.copy(dataset / "test" / "test0.png", tmp_path / "other" / "test0.png")
    inputs = (dataset / "test" / "test0.png", tmp_path / "other" / "test0.png")
    refused("predict", trained, *inputs, "--output", tmp_path / "masks", code=1, words=["test0"])


def test_predictions_never_overwrite_their_images(refused, trained, dataset):
    before = files_below(dataset)
    refused("predict", trained, dataset / "test", "--output", dataset / "test", code=2, words=["overwrite"])
    assert files_below(dataset) == before


def test_a_tile_too_small(refused, tmp_path, trained, dataset):
    refused("predict", trained, dataset / "test", "--output", tmp_path / "m", "--tile", "8", code=2, words=["tile"])


def test_a_broken_image_among_good_ones_is_reported_and_the_rest_is_written(run, tmp_path, trained, dataset):
    (dataset / "test" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    code, out, _err = run("predict", trained, dataset / "test", "--output", tmp_path / "masks")
    assert code == 1
    assert "broken.jpg" in out
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["test0.png", "test1.png"]


def test_scoring_folders_that_do_not_match(refused, tmp_path, dataset):
    truth = dataset / "test_annotation"
    refused("score", truth, tmp_path / "none", code=1, words=["none"])
    shutil.copytree(truth, tmp_path / "predicted")
    Image.new("L", (5, 5)).save(tmp_path / "predicted" / "test0.png")
    Image.new("RGB", (64, 48)).save(tmp_path / "predicted" / "test1.png")
    refused("score", truth, tmp_path / "predicted", code=1, words=["test0.png", "5 x 5", "test1.png"])
    (tmp_path / "predicted" / "test1.png").unlink()
    refused("score", truth, tmp_path / "predicted", code=1, words=["test1.png", "no prediction"])


def test_scoring_a_truth_of_0_and_255_against_ids_shows_the_table_to_give(refused, tmp_path):
    for folder, value in (("truth", 255), ("predicted", 0)):
        (tmp_path / folder).mkdir()
        mask = Image.new("L", (8, 8))
        mask.paste(value, (2, 2, 6, 6))
        mask.save(tmp_path / folder / "a.png")
    words = ["truth", "0, 255", "--classes", '"source": 255']
    refused("score", tmp_path / "truth", tmp_path / "predicted", "--num-classes", "2", code=1, words=words)


def test_checking_reports_faults_with_exit_code_1_and_as_json(run, dataset):
    (dataset / "train" / "train0.png").unlink()
    code, out, _err = run("check", dataset, "--json")
    assert code == 1
    assert len(json.loads(out)["faults"]) == 1


def test_a_demo_never_overwrites(refused, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine")
    refused("demo", "--output", tmp_path / "demo", code=2, words=["demo"])
    assert (tmp_path / "demo" / "mine.txt").read_text() == "mine"
