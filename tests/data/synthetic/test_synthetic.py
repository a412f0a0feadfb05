import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.synthetic.dataset import LABELS, draw_dataset, draw_sample
from pixelwise.errors import DataError

SIZE = (96, 64)


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_drawn_dataset_is_sound_and_has_all_classes(tmp_path):
    root = tmp_path / "streets"
    draw_dataset(root, num_train=6, num_validation=3, num_test=2, size=SIZE, seed=1)
    report = check_dataset(open_dataset(root))
    assert (report.faults, report.warnings) == ((), ())
    assert {split: len(pairs) for split, pairs in report.pairs.items()} == {"train": 6, "validation": 3, "test": 2}
    assert report.labels == LABELS
    assert report.splits["train"].sizes.counts == {SIZE: 6}
    shares = np.array(report.splits["train"].balance.pixels) / (6 * SIZE[0] * SIZE[1])
    assert shares.min() > 0.03


def test_the_test_split_is_left_out_unless_wanted(tmp_path):
    draw_dataset(tmp_path / "streets", num_train=1, num_validation=1, size=SIZE)
    assert not (tmp_path / "streets" / "test").exists()


def test_scenes_depend_on_seed_split_and_index_alone(tmp_path):
    draw_dataset(tmp_path / "few", num_train=2, num_validation=1, size=SIZE, seed=3)
    draw_dataset(tmp_path / "many", num_train=4, num_validation=2, size=SIZE, seed=3)
    draw_dataset(tmp_path / "other", num_train=2, num_validation=1, size=SIZE, seed=4)
    few, many, other = (files(tmp_path / name) for name in ("few", "many", "other"))
    assert few.items() <= many.items()
    assert len({many[name] for name in many if name.endswith("jpg")}) == 6
    assert few["train/scene_0000.jpg"] != other["train/scene_0000.jpg"]


def test_masks_are_gray_and_hold_class_ids(tmp_path):
    image, mask = draw_sample((0, 0, 0), SIZE)
    assert (image.mode, image.size, mask.mode, mask.size) == ("RGB", SIZE, "L", SIZE)
    draw_dataset(tmp_path / "streets", num_train=1, num_validation=1, size=SIZE)
    with Image.open(tmp_path / "streets" / "train_annotation" / "scene_0000.png") as written:
        assert written.mode == "L"
        assert set(written.tobytes()) <= set(range(LABELS.num_classes))


def test_colour_alone_does_not_tell_the_classes():
    # The best guess from a pixel's colour (8 steps a channel), fitted on the very pixels it is scored on.
    samples = [draw_sample((0, 0, i), SIZE) for i in range(40)]
    colors = np.concatenate([np.asarray(image).reshape(-1, 3) // 32 for image, _ in samples]).astype(int)
    class_ids = np.concatenate([np.asarray(mask).ravel() for _, mask in samples]).astype(int)
    counts = np.zeros((512, 5), dtype=int)
    np.add.at(counts, (colors @ [64, 8, 1], class_ids), 1)
    guesses = counts.argmax(axis=1)[colors @ [64, 8, 1]]
    ious = [np.sum((guesses == k) & (class_ids == k)) / np.sum((guesses == k) | (class_ids == k)) for k in range(5)]
    assert np.mean(ious) < 0.5


def test_an_existing_folder_is_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(DataError, match="not an empty folder"):
        draw_dataset(tmp_path, num_train=1, num_validation=1, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_kept(tmp_path):
    (tmp_path / "streets").write_text("keep me")
    with pytest.raises(DataError, match="not an empty folder"):
        draw_dataset(tmp_path / "streets", num_train=1, num_validation=1, size=SIZE)


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path / "streets", num_train=1, num_validation=1, size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_tiny_pictures_are_refused(tmp_path):
    with pytest.raises(DataError, match="16 x 300"):
        draw_dataset(tmp_path / "streets", num_train=1, num_validation=1, size=(16, 300))
