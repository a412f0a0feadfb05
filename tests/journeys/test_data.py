"""From data as people have it to a trained model, through the command line."""

import json

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.data.synthetic.dataset import draw_dataset
from tests.conftest import TINY_FLAGS

COLORS = np.array([[0, 0, 0], [128, 64, 128], [70, 70, 70], [107, 142, 35], [70, 130, 180]], dtype=np.uint8)


@pytest.fixture
def scenes(tmp_path):
    root = tmp_path / "scenes"
    draw_dataset(root, num_train=4, num_validation=2, num_test=0, size=(96, 72), seed=3)
    return root


def change_masks(root, change):
    for folder in ("train_annotation", "validation_annotation"):
        for path in sorted((root / folder).iterdir()):
            change(np.array(Image.open(path)), path)


def test_colours_become_ids_and_predictions_come_back_as_colours(scenes, tmp_path, run):
    (scenes / "classes.json").unlink()
    change_masks(scenes, lambda ids, path: Image.fromarray(COLORS[ids]).save(path))
    before = {path: path.read_bytes() for path in scenes.rglob("*.*")}

    code, out, _ = run("check", scenes)
    assert code == 1
    assert "mask-colors" in out
    code, out, _ = run("check", scenes, "--fix", tmp_path / "fixed")
    assert code == 0
    assert {path: path.read_bytes() for path in scenes.rglob("*.*")} == before
    code, out, _ = run("check", tmp_path / "fixed")
    assert (code, out.splitlines()[-1]) == (0, "The dataset is sound.")

    code, _, err = run("train", tmp_path / "fixed", "--output", tmp_path / "run", *TINY_FLAGS)
    assert code == 0, err
    photos = tmp_path / "fixed" / "validation"
    code, _, err = run("predict", tmp_path / "run", photos, "--output", tmp_path / "masks", "--as-source")
    assert code == 0, err
    known = {tuple(color) for color in COLORS.tolist()}
    for path in (tmp_path / "masks").iterdir():
        image = Image.open(path)
        assert (image.mode, image.size) == ("RGB", (96, 72))
        assert {color for _, color in image.getcolors()} <= known


def test_a_label_map_is_understood_by_check_train_and_evaluate(scenes, tmp_path, run):
    (scenes / "classes.json").unlink()
    change_masks(scenes, lambda ids, path: Image.fromarray((ids == 1).astype(np.uint8) * 255).save(path))
    assert run("check", scenes)[0] == 1
    (scenes / "label_map").mkdir()
    for split in ("train", "validation"):
        (scenes / "label_map" / f"{split}_label_map.json").write_text('{"scale": "255"}')

    code, out, _ = run("check", scenes, "--json")
    assert code == 0
    classes = json.loads(out)["splits"]["train"]["classes"]
    assert [entry["images"] > 0 for entry in classes] == [True, True]
    assert run("train", scenes, "--output", tmp_path / "run", *TINY_FLAGS)[0] == 0
    code, out, _ = run("evaluate", tmp_path / "run", scenes, "--json")
    assert code == 0
    assert sum(entry["pixels"] for entry in json.loads(out)["per_class"]) == 2 * 96 * 72


def test_a_label_map_that_sends_a_value_past_the_classes_is_a_fault(scenes, run):
    (scenes / "train_label_map.json").write_text('{"map": {"0": 0, "1": 1, "2": 2, "3": 3, "9": 4}}')
    code, out, _ = run("check", scenes)
    assert code == 1
    assert "has the values 9 (" in out


def test_values_that_a_label_map_leaves_out_are_ignored_with_one_warning(scenes, run):
    (scenes / "train_label_map.json").write_text('{"map": {"0": 0, "1": 1, "2": 2}}')
    code, out, _ = run("check", scenes, "--json")
    assert code == 0
    (warning,) = [each for each in json.loads(out)["warnings"] if each["code"] == "values-ignored"]
    assert "3 (" in warning["found"]
    assert "4 (" in warning["found"]


def test_augmented_manifests_are_understood_by_check_train_and_evaluate(scenes, tmp_path, run):
    for split in ("train", "validation"):
        images, masks = scenes / f"{split}_images", scenes / f"{split}_masks"
        (scenes / split).rename(images)
        (scenes / f"{split}_annotation").rename(masks)
        lines = [
            {"source-ref": f"s3://bucket/{images.name}/{path.name}", "scene-ref": f"{masks.name}/{path.stem}.png"}
            for path in sorted(images.iterdir())
        ]
        (scenes / f"{split}.manifest").write_text("\n".join(map(json.dumps, lines)))
    assert run("check", scenes)[0] == 0
    code, _, err = run("train", scenes, "--output", tmp_path / "run", *TINY_FLAGS)
    assert code == 0, err
    code, out, _ = run("evaluate", tmp_path / "run", scenes, "--json")
    assert code == 0
    assert sum(entry["pixels"] for entry in json.loads(out)["per_class"]) == 2 * 96 * 72


def test_a_conversion_is_a_dataset_that_check_finds_sound(scenes, tmp_path, run):
    patterns = ("--images", "train/{name}.jpg", "--masks", "train_annotation/{name}.png")
    code, out, err = run("convert", "id-masks", scenes, tmp_path / "dataset", *patterns, "--num-classes", "5", "--json")
    assert code == 0, err
    assert json.loads(out)["images"] == {"train": 3, "validation": 1}
    assert run("check", tmp_path / "dataset")[0] == 0
    code, _, err = run("convert", "nothing", scenes, tmp_path / "other")
    assert code == 2
    assert "Known: ade20k" in err


def test_the_check_page_shows_a_planted_fault(scenes, tmp_path, run):
    path = scenes / "train_annotation" / "scene_0000.png"
    class_ids = np.array(Image.open(path))
    class_ids[:4, :4] = 99
    Image.fromarray(class_ids).save(path)
    code, _, _ = run("check", scenes, "--output", tmp_path / "page")
    assert code == 1
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "id-out-of-range" in page
    assert "99 (16 px)" in page
    assert json.loads((tmp_path / "page" / "check.json").read_text())["faults"][0]["place"] == [0, 0, 4, 4]


def test_python_checks_and_repairs_as_the_command_does(scenes, tmp_path, run):
    path = scenes / "train_annotation" / "scene_0000.png"
    Image.fromarray(np.array(Image.open(path)) * 50).save(path)
    by_command, by_python = tmp_path / "command", tmp_path / "python"
    run("check", scenes, "--num-classes", "5", "--crop-size", "512", "--output", by_command)
    pixelwise.check(scenes, num_classes=5, crop_size=512, output=by_python)
    assert "image-small" in (by_python / "check.json").read_text()
    for name in ("index.html", "check.json"):
        assert (by_python / name).read_bytes() == (by_command / name).read_bytes()
    run("check", scenes, "--fix", tmp_path / "a")
    pixelwise.repair(scenes, output=tmp_path / "b")
    written = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    assert "changes.jsonl" in map(str, written)
    assert [
        each for each in written if (tmp_path / "a" / each).read_bytes() != (tmp_path / "b" / each).read_bytes()
    ] == []


def test_a_check_that_is_to_fix_and_to_show_at_once_is_refused(scenes, tmp_path, run):
    code, _, err = run("check", scenes, "--fix", tmp_path / "fixed", "--output", tmp_path / "page")
    assert (code, list(tmp_path.glob("fixed")), list(tmp_path.glob("page"))) == (2, [], [])
    assert "--fix and --output" in err


def test_describe_prints_a_network_without_weights(run):
    code, out, _ = run("describe", "--algorithm", "deeplab", "--backbone", "resnet-50", "--crop-size", "512")
    assert code == 0
    for words in ("deeplab on resnet-50", "dilation", "FLOPs", "21 x 512 x 512"):
        assert words in out
    code, _, err = run("describe", "--backbone", "resnet51")
    assert code == 2
    assert "resnet51" in err
