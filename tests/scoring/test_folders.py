"""Two folders of masks from any tool: which files belong together, and what their values mean."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.findings import FileFault
from pixelwise.errors import DataError
from pixelwise.scoring.folders import score_folders

TWO = [{"id": 0, "name": "ground", "source": 0}, {"id": 1, "name": "house", "source": 255}]
IGNORED = {"id": 255, "name": "ignored", "source": 255}


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "truth", tmp_path / "predicted"


def save(path, values, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, dtype=dtype)).save(path)


def table(tmp_path, entries):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(entries))
    return path


def test_where_both_sides_hold_0_and_255_alone_these_are_two_classes(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 255, 255, 0]])
    save(predicted / "a.png", [[0, 255, 0, 0]])
    found = score_folders(truth, predicted)
    assert found.scores.confusion.counts.tolist() == [[2, 0], [1, 1]]
    assert found.notes == ("Truth and predictions hold 0, 255 alone: these are 2 classes, and 255 is the last.",)
    assert found.table().startswith(found.notes[0])
    assert found.to_json()["notes"] == list(found.notes)


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [0, 1, 1, 0], [0, 2, 255, 0]])
@pytest.mark.parametrize("num_classes", [None, 2, 3])
def test_a_truth_of_0_and_255_is_refused_where_the_predictions_are_ids(folders, values, num_classes):
    truth, predicted = folders
    save(truth / "a.png", [[0, 255, 255, 0]])
    save(predicted / "a.png", [values])
    with pytest.raises(FileFault, match=r"holds masks of the values 0, 255 only, and the predictions hold") as caught:
        score_folders(truth, predicted, num_classes=num_classes)
    assert (caught.value.finding.code, caught.value.finding.file) == ("mask-0-255", truth)


def test_the_table_that_the_refusal_shows_makes_255_a_class(folders, tmp_path):
    truth, predicted = folders
    save(truth / "a.png", [[0, 255, 255, 0]])
    save(predicted / "a.png", [[0, 1, 0, 0]])
    with pytest.raises(FileFault) as caught:
        score_folders(truth, predicted)
    shown = caught.value.finding.remedy.partition("--classes FILE with ")[2].partition(";")[0]
    found = score_folders(truth, predicted, classes_file=table(tmp_path, json.loads(shown)))
    assert found.scores.confusion.counts.tolist() == [[2, 0], [1, 1]]


def test_a_table_that_lists_255_as_ignored_is_obeyed_and_one_class_is_told(folders, tmp_path):
    truth, predicted = folders
    save(truth / "a.png", [[0, 255, 255, 0]])
    save(truth / "b.png", [[0, 255, 255, 0]])
    save(predicted / "a.png", [[0, 0, 0, 0]])
    save(predicted / "b.png", [[0, 0, 0, 0]])
    names = [{"id": 0, "name": "ground"}, {"id": 1, "name": "house"}, IGNORED]
    found = score_folders(truth, predicted, classes_file=table(tmp_path, names))
    assert found.scores.confusion.counts.tolist() == [[4, 0], [0, 0]]
    note = "Only one class occurs in the truth, 0 (ground): the scores do not say whether classes are told apart."
    assert found.notes == (note,)
    assert found.table().startswith(note)


def test_a_table_that_a_repair_wrote_reads_its_masks_as_ids_and_the_original_ones_by_source(folders, tmp_path):
    truth, predicted = folders
    save(truth / "a.png", [[0, 1, 1, 255]])
    save(predicted / "a.png", [[0, 255, 0, 0]])
    found = score_folders(truth, predicted, classes_file=table(tmp_path, TWO))
    assert found.scores.confusion.counts.tolist() == [[1, 0], [1, 1]]


def test_predictions_of_0_and_255_meet_a_truth_of_0_and_1(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 1, 1, 0]])
    save(predicted / "a.png", [[0, 255, 0, 0]])
    found = score_folders(truth, predicted)
    assert found.scores.confusion.counts.tolist() == [[2, 0], [1, 1]]
    assert found.notes == ("The predictions hold 0 and 255 alone, the truth none: 255 counts as class 1.",)


def test_grays_that_are_evenly_spread_on_both_sides_are_classes(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 85, 170, 255]])
    save(predicted / "a.png", [[0, 85, 255, 255]])
    found = score_folders(truth, predicted)
    assert found.scores.confusion.counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    save(predicted / "a.png", [[0, 1, 3, 3]])
    with pytest.raises(FileFault, match=r'"id": 3, "name": "class 3", "source": 255') as caught:
        score_folders(truth, predicted)
    assert caught.value.finding.code == "mask-spread-gray"


def test_grays_that_tools_round_differently_are_one_class(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 127, 255]])
    save(predicted / "a.png", [[0, 1, 2]])
    with pytest.raises(FileFault, match=r'"id": 1, "name": "class 1", "source": 127'):
        score_folders(truth, predicted)
    save(predicted / "a.png", [[0, 128, 255]])
    assert score_folders(truth, predicted).scores.confusion.counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_truth_without_a_labelled_pixel_is_refused(folders):
    truth, predicted = folders
    save(truth / "a.png", [[255, 255]])
    save(predicted / "a.png", [[0, 1]])
    with pytest.raises(DataError, match=r"truth: holds masks of the value 255 \(ignored\) only"):
        score_folders(truth, predicted)


@pytest.mark.parametrize("suffix", ["tif", "bmp", "gif", "png"])
def test_class_ids_are_read_from_every_format_that_keeps_them(folders, suffix):
    truth, predicted = folders
    save(truth / "a.png", [[0, 1, 2, 2]])
    save(predicted / f"a.{suffix}", [[0, 2, 2, 2]], np.uint16 if suffix == "png" else np.uint8)
    assert score_folders(truth, predicted).scores.confusion.counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 2]]


def test_values_above_255_and_colours_are_classes_by_the_table(folders, tmp_path):
    truth, predicted = folders
    save(truth / "a.png", [[7, 300, 300, 7]], np.uint16)
    save(predicted / "a.png", [[[255, 0, 0], [0, 0, 255], [255, 0, 0], [255, 0, 0]]])
    with pytest.raises(DataError, match=r"has the channels R\+G\+B and 2 colours \(#ff0000, #0000ff\).*--classes FILE"):
        score_folders(truth, predicted)
    names = [{"id": 0, "name": "a", "source": [7, "#ff0000"]}, {"id": 1, "name": "b", "source": [300, "#0000ff"]}]
    found = score_folders(truth, predicted, classes_file=table(tmp_path, names))
    assert found.scores.confusion.counts.tolist() == [[2, 0], [1, 1]]


def test_masks_saved_with_loss_are_refused_with_a_remedy_for_masks(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 1]])
    save(predicted / "a.jpg", [[0, 1]])
    with pytest.raises(DataError, match=r"a.jpg: is a JPEG.*export the mask again as PNG") as caught:
        score_folders(truth, predicted)
    assert "--fix" not in str(caught.value)


@pytest.mark.parametrize(
    ("true_names", "names", "note"),
    [
        (["p0", "p1"], ["p0_pred", "p1_pred"], 'True masks "p{name}" were matched with predictions "p{name}_pred".'),
        (["p0_mask", "q_mask"], ["p0", "q"], 'True masks "{name}_mask" were matched with predictions "{name}".'),
        (["p0"], ["p0_pred"], 'Masks were matched by name without endings such as "_pred".'),
        (["a_cat", "b_cat"], ["a_cat-mask", "b_cat-mask"], 'True masks "{name}_cat" were matched'),
        (["x/p0", "y/p1"], ["p0", "p1"], "Masks were matched by name, whatever folders they lie in."),
        (["p0", "q1"], ["x/p0_pred", "y/q1_pred"], 'True masks "{name}" were matched with predictions "{name}_pred".'),
    ],
)
def test_files_meet_by_names_without_shared_affixes_and_folders(folders, true_names, names, note):
    truth, predicted = folders
    for i, (true_name, name) in enumerate(zip(true_names, names, strict=True)):
        save(truth / f"{true_name}.png", [[i, 1]])
        save(predicted / f"{name}.png", [[i, 1]])
    found = score_folders(truth, predicted)
    assert found.counts.names == tuple(true_names)
    assert found.notes[0].startswith(note)
    assert found.scores.pixel_accuracy == 1


def test_folders_are_no_detail_where_two_files_have_one_name(folders):
    truth, predicted = folders
    for name in ("x/p0", "y/p0"):
        save(truth / f"{name}.png", [[0, 1]])
    save(predicted / "p0.png", [[0, 1]])
    with pytest.raises(DataError) as caught:
        score_folders(truth, predicted)
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("2 of 2 true masks without prediction, 1 of 1 prediction without truth. Expected")
    files = [truth / "x/p0.png", truth / "y/p0.png", predicted / "p0.png"]
    assert [line.partition(": ")[0] for line in lines] == [str(file) for file in files]


def test_files_that_are_no_masks_are_counted(folders):
    truth, predicted = folders
    save(truth / "a.png", [[0, 1]])
    save(predicted / "a.png", [[0, 1]])
    (predicted / "a.npy").write_bytes(b"")
    assert score_folders(truth, predicted).notes == (f"1 file of other types in {predicted} left out: a.npy.",)


def test_values_below_0_are_refused_by_name_and_ignored_by_a_table(tmp_path):
    for side, rows in (("truth", [[-1, 0, 1]]), ("predicted", [[1, 0, 1]])):
        (tmp_path / side).mkdir()
        tifffile.imwrite(tmp_path / side / "a.tif", np.array(rows, dtype=np.int16), photometric="minisblack")
    entry = '{"id": 255, "name": "ignored", "source": -1}'
    with pytest.raises(DataError, match=r"a\.tif: has the values -1 \(1 px\)") as caught:
        score_folders(tmp_path / "truth", tmp_path / "predicted")
    assert entry in str(caught.value)
    with pytest.raises(DataError, match="predicts -1 where the truth is labelled"):
        score_folders(tmp_path / "predicted", tmp_path / "truth")
    table = tmp_path / "classes.json"
    table.write_text(f'[{{"id": 0, "name": "a"}}, {{"id": 1, "name": "b"}}, {entry}]')
    scores = score_folders(tmp_path / "truth", tmp_path / "predicted", classes_file=table).scores
    assert (scores.mean_iou, int(scores.confusion.counts.sum())) == (1, 2)
