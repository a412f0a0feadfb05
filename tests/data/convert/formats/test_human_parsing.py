"""CIHP and LIP as their archives are laid out."""

import numpy as np
import pytest

from pixelwise.data.convert.formats.human_parsing import CIHP, LIP
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable

IDS = np.arange(20, dtype=np.uint8).reshape(4, 5).repeat(2, axis=0).repeat(2, axis=1)
SIZE = (10, 8)


def cihp(root: str, photo, encoded) -> dict[str, bytes]:
    return {
        f"{root}{part}/{name}": content
        for part, stems in (("Training", "abc"), ("Validation", "d"))
        for stem in stems
        for name, content in (
            (f"Images/{stem}.jpg", photo(ord(stem), SIZE)),
            (f"Category_ids/{stem}.png", encoded(IDS)),
            (f"Categories/{stem}.png", encoded(np.zeros((8, 10, 3), dtype=np.uint8))),
            (f"Instance_ids/{stem}.png", encoded(IDS)),
        )
    }


@pytest.mark.parametrize("root", ["", "instance-level_human_parsing/instance-level_human_parsing/"])
def test_cihp_keeps_ids_names_and_splits(source, converted, photo, encoded, root):
    report, masks = converted("cihp", source(cihp(root, photo, encoded)))
    assert set(masks) == {"train/a", "train/b", "train/c", "validation/d"}
    assert masks["train/b"].tolist() == IDS.tolist()
    assert report.labels.names[:3] == ("background", "hat", "hair")
    assert report.labels.names[10] == "torso skin"


def test_lip_has_its_own_folders_and_jumpsuits(source, converted, photo, encoded):
    files = {
        f"TrainVal_images/{split}_images/{stem}.jpg": photo(ord(stem), SIZE)
        for split, stem in (("train", "a"), ("val", "b"))
    }
    files |= {
        f"TrainVal_parsing_annotations/{split}_segmentations/{stem}.png": encoded(IDS)
        for split, stem in (("train", "a"), ("val", "b"))
    }
    report, masks = converted("lip", source(files))
    assert set(masks) == {"train/a", "validation/b"}
    assert report.labels.names[10] == "jumpsuits"


def test_a_flip_exchanges_the_six_sided_classes():
    sided = [CIHP.names[i] for i in CIHP.mirrored()][14:]
    assert sided == ["right-arm", "left-arm", "right-leg", "left-leg", "right-shoe", "left-shoe"]
    assert CIHP.mirrored()[:14] == LIP.mirrored()[:14] == tuple(range(14))


def test_all_colours_differ():
    assert len(set(CIHP.colors)) == CIHP.num_classes == LIP.num_classes == 20


def test_the_lists_choose_and_images_without_masks_are_told(source, converted, photo, encoded):
    files = cihp("", photo, encoded) | {"Training/train_id.txt": "a\nb\n", "Training/Images/x.jpg": photo(9, SIZE)}
    report, masks = converted("cihp", source(files))
    assert set(masks) == {"train/a", "train/b", "validation/d"}
    assert "Only the 2 images that the list of train names were taken." in report.notes
    assert "1 image without a mask left out: Training/Images/x.jpg." in report.notes


def test_a_mask_with_another_id_is_left_out(source, converted, photo, encoded):
    files = cihp("", photo, encoded) | {"Training/Category_ids/b.png": encoded(IDS + 20)}
    report, masks = converted("cihp", source(files))
    assert "train/b" not in masks
    assert [finding.code for finding in report.left_out] == ["id-out-of-range"]


def test_names_can_be_given_and_their_number_is_fixed(source, converted, photo, encoded):
    folder = source(cihp("", photo, encoded))
    with pytest.raises(SettingsError, match="num_classes is 7, but these masks have 20"):
        converted("cihp", folder, num_classes=7)
    report, _ = converted("cihp", folder, classes=LabelTable.named([f"Klasse {i}" for i in range(20)]))
    assert report.labels.names[19] == "Klasse 19"


@pytest.mark.parametrize("form", ["cihp", "lip"])
def test_another_layout_is_told_from_it(source, converted, photo, form):
    with pytest.raises(DataError, match=r"found 0 images and 0 masks .* in photos\. Expected .*/\*\.png"):
        converted(form, source({"photos/a.jpg": photo(0)}))
