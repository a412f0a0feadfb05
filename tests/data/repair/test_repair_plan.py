"""What the values and colours of masks become, seen over the whole dataset."""

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.repair.dataset import repair
from pixelwise.data.repair.pair import read_raw
from pixelwise.data.repair.plan import make_plan
from pixelwise.data.repair.survey import Values
from pixelwise.inference.render import source_mask
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
BLACK, RED, BLUE, WHITE = (0, 0, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255)
TWO = ["background", "object"]


def image_of(rows, mode="L"):
    """A mask of the kind "L", "1", "P", "I;16" or "RGB" from rows of values or colours."""
    if mode == "1":
        return Image.fromarray(np.array(rows, dtype=np.uint8) * 255).convert("1")
    return Image.fromarray(np.array(rows, dtype=np.uint16 if mode == "I;16" else np.uint8))


def palette_image(rows, colors):
    mask = image_of(rows)
    mask.putpalette([channel for color in colors for channel in color])
    return mask


class Masks:
    """Mask files of a dataset, and the plan for all of them."""

    def __init__(self, folder):
        self.folder, self.files = folder, []

    def add(self, mask, *, split="train", suffix="png"):
        path = self.folder / f"{len(self.files)}.{suffix}"
        mask.save(path)
        self.files.append((split, path))

    def plan(self, table=None, *, given=True):
        survey = Values()
        for split, path in self.files:
            survey.add(split, read_raw(path))
        return make_plan(survey, ["train", "validation"], table, given=given)

    def became(self, table=None, *, given=True):
        """For each file the class id of each of its values."""
        plan = self.plan(table, given=given)
        return [plan.ids_of(split, read_raw(path)) for split, path in self.files]


@pytest.fixture
def masks(tmp_path):
    return Masks(tmp_path)


def test_ids_with_gaps_are_closed_up_in_order_and_their_values_kept(masks):
    masks.add(image_of([[3, 7]]))
    masks.add(image_of([[200, 255]]), split="validation")
    assert masks.became() == [{3: 0, 7: 1}, {200: 2, 255: 255}]
    assert masks.plan().labels.sources == ((3,), (7,), (200,))


def test_sound_ids_stay_and_have_no_other_source(masks):
    masks.add(image_of([[0, 1, 2, 255]]))
    assert masks.became() == [{0: 0, 1: 1, 2: 2, 255: 255}]
    assert masks.plan().labels == LabelTable.numbered(3)


def test_an_object_drawn_as_255_becomes_class_1(masks):
    masks.add(image_of([[0, 255]]))
    masks.add(image_of([[255, 255]]), split="validation")  # the object throughout
    masks.add(image_of([[0, 1]], "1"))
    assert masks.became() == [{0: 0, 255: 1}, {255: 1}, {0: 0, 1: 1}]
    assert masks.plan().labels.sources == ((0,), (255,))
    named = masks.plan(LabelTable.named(TWO))
    assert (named.labels.names, named.values["train"][255]) == (("background", "object"), 1)


def test_where_another_split_ignores_with_255_it_draws_no_object(masks):
    masks.add(image_of([[0, 1, 255]]))
    masks.add(image_of([[0, 255]]), split="validation")
    assert masks.became()[1] == {0: 0, 255: 255}


def test_a_split_drawn_as_255_beside_one_of_ids_becomes_ids(masks):
    masks.add(image_of([[0, 1]]))
    masks.add(image_of([[0, 255]]), split="validation")
    assert masks.became() == [{0: 0, 1: 1}, {0: 0, 255: 1}]


def test_values_of_16_bits_become_ids(masks):
    masks.add(image_of([[0, 1000, 40000]], "I;16"))
    assert masks.became() == [{0: 0, 1000: 1, 40000: 2}]
    assert "If they number instances" in masks.plan().notes[0]


def test_more_ids_than_there_can_be_classes_are_instances_and_left_out(masks):
    masks.add(image_of([list(range(1000, 1300))], "I;16"))
    masks.add(image_of([[0, 1]]))
    assert masks.became() == [{}, {0: 0, 1: 1}]
    assert "302 different ids" in masks.plan().unread


def test_a_table_with_sources_decides_and_what_it_does_not_list_is_unknown(masks):
    masks.add(image_of([[7, 8, 9, 11, 255]]))
    table = LabelTable.named(["road", "rest"], sources={0: [7], 1: [8, 9]}, ignored=[0])
    assert masks.became(table) == [{7: 0, 8: 1, 9: 1, 255: 255}]


def test_a_dataset_that_was_repaired_before_is_not_renumbered_by_its_own_table(masks):
    masks.add(image_of([[0, 1]]))
    table = LabelTable.named(["road", "rest"], sources={0: [1], 1: [0]})
    assert masks.became(table, given=False) == [{0: 0, 1: 1}]
    assert masks.became(table, given=True) == [{0: 1, 1: 0}]
    assert masks.plan(table, given=False).labels == table


def test_a_datasets_own_table_decides_where_values_are_no_ids(masks):
    masks.add(image_of([[7, 9]]))
    table = LabelTable.named(["road", "rest"], sources={0: [9], 1: [7]})
    assert masks.became(table, given=False) == [{7: 1, 9: 0}]


def test_ids_that_named_classes_lack_stay_unknown(masks):
    masks.add(image_of([[0, 1, 5]]))
    assert masks.became(LabelTable.named(TWO)) == [{0: 0, 1: 1}]


def test_ids_that_count_from_1_become_those_of_named_classes(masks):
    masks.add(image_of([[1, 2, 255]]))
    assert masks.became(LabelTable.named(TWO)) == [{1: 0, 2: 1, 255: 255}]
    assert masks.plan(LabelTable.named(TWO)).labels.sources == ((1,), (2,))
    # Without a 2 it may be that class 0 just does not occur.
    three = LabelTable.named([*TWO, "other"])
    assert masks.became(three) == [{1: 1, 2: 2, 255: 255}]


def test_colours_become_classes_black_first_then_by_pixels(masks):
    masks.add(image_of([[BLUE, BLUE, RED, BLACK]], "RGB"))
    masks.add(image_of([[RED, BLUE, RED, RED]], "RGB"), split="validation")
    assert masks.became() == [{BLACK: 0, RED: 1, BLUE: 2}, {RED: 1, BLUE: 2}]
    labels = masks.plan().labels
    assert labels.names == ("background", "#ff0000", "#0000ff")
    assert (labels.colors, labels.sources) == ((BLACK, RED, BLUE), ((BLACK,), (RED,), (BLUE,)))


def test_a_table_says_which_colour_is_which_class(masks):
    masks.add(image_of([[BLUE, RED, BLACK, WHITE]], "RGB"))
    by_color = LabelTable.named(TWO, {0: RED, 1: BLUE}, ignored=[BLACK])
    assert masks.became(by_color) == [{BLUE: 1, RED: 0, BLACK: 255}]
    assert masks.plan(by_color).labels.sources == ((RED,), (BLUE,))
    by_source = LabelTable.named(TWO, {0: RED, 1: BLUE}, sources={0: [BLUE, WHITE], 1: [RED]})
    assert masks.became(by_source) == [{BLUE: 0, RED: 1, WHITE: 0}]


def test_gray_masks_saved_in_colour_are_values(masks):
    masks.add(image_of([[(2, 2, 2), (1, 1, 1), (1, 1, 1), BLACK]], "RGB"))
    masks.add(image_of([[0, 1, 2]]))
    assert masks.became() == [{(2, 2, 2): 2, (1, 1, 1): 1, BLACK: 0}, {0: 0, 1: 1, 2: 2}]


def test_palette_masks_among_colour_masks_are_read_by_colour(masks):
    masks.add(image_of([[RED, BLUE, BLACK, BLUE]], "RGB"))
    masks.add(palette_image([[0, 1]], [RED, BLUE]))
    masks.add(palette_image([[0, 1]], [BLUE, RED]))
    assert masks.became() == [{RED: 2, BLUE: 1, BLACK: 0}, {0: 2, 1: 1}, {0: 1, 1: 2}]


def test_palettes_that_agree_number_the_colours_of_colour_masks(masks):
    palette = [BLACK, RED, BLUE] + [WHITE] * 253
    masks.add(palette_image([[0, 1, 2, 255]], palette))
    masks.add(image_of([[BLUE, BLUE, BLUE, RED, WHITE]], "RGB"))
    assert masks.became() == [{0: 0, 1: 1, 2: 2, 255: 255}, {BLUE: 2, RED: 1, WHITE: 255}]


def test_palette_masks_alone_are_read_by_index_with_a_note_where_palettes_contradict(masks):
    masks.add(palette_image([[0, 1]], [RED, BLUE]))
    assert masks.plan().notes == ()
    assert masks.plan().labels.colors == (RED, BLUE)
    masks.add(palette_image([[0, 1]], [BLUE, RED]))
    assert masks.became() == [{0: 0, 1: 1}] * 2
    assert "contradict" in masks.plan().notes[0]


def test_gif_masks_of_contradicting_palettes_are_read_by_shade(masks):
    masks.add(palette_image([[0, 1, 1]], [BLACK, WHITE]), suffix="gif")
    masks.add(palette_image([[0, 1, 1]], [WHITE, BLACK]), suffix="gif")
    assert masks.became() == [{0: 0, 1: 1}, {0: 1, 1: 0}]


def test_gray_gif_masks_are_read_by_shade_and_among_coloured_ones_by_index(masks):
    # Index 0 is white in all of them: where GIF masks of one palette have a colour, white is no ignored pixel.
    palette = [WHITE, BLACK, RED]
    masks.add(palette_image([[0, 1, 1]], palette), suffix="gif")
    assert masks.became() == [{0: 1, 1: 0}]
    assert masks.plan().labels.sources == ((0,), (255,))
    masks.add(palette_image([[0, 1, 2]], palette), suffix="gif")
    assert masks.became() == [{0: 0, 1: 1}, {0: 0, 1: 1, 2: 2}]


def test_gray_gif_masks_among_coloured_ones_of_other_palettes_are_read_by_colour(masks):
    masks.add(palette_image([[0, 1, 1]], [BLACK, WHITE]), suffix="gif")
    masks.add(palette_image([[0, 1, 1, 2]], [RED, BLACK, WHITE]), suffix="gif")
    assert masks.became() == [{0: 0, 1: 1}, {0: 2, 1: 0, 2: 1}]


def test_of_ids_and_colours_without_a_table_the_larger_part_is_kept(masks):
    masks.add(image_of([[RED, BLUE]], "RGB"))
    masks.add(image_of([[0, 3]]))
    masks.add(image_of([[0, 3]]))
    assert masks.became() == [{}, {0: 0, 3: 1}, {0: 0, 3: 1}]
    assert "no table says which colour is which id" in masks.plan().unread
    both = LabelTable.named([*TWO, "c", "d"], {0: RED, 3: BLUE})
    assert masks.became(both) == [{RED: 0, BLUE: 3}, {0: 0, 3: 3}, {0: 0, 3: 3}]


def test_too_many_colours_in_all_are_no_code(masks):
    for red in range(0, 250, 50):
        masks.add(image_of([[(red, green // 2 * 15, 9) for green in range(28)]], "RGB"))
    assert masks.became() == [{}] * 5
    assert "more than 64 colours" in masks.plan().unread


@pytest.mark.skipif(not RAW.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(
    ("images", "masks_folder", "num_classes", "codes"),
    [
        ("aerial-rgb/image", "aerial-rgb/mask", 6, {"mask-colors"}),
        ("human-0-255/Training_Images", "human-0-255/Ground_Truth", 2, {"mask-0-255", "size-scaled"}),
        ("voc-palette/JPEGImages", "voc-palette/SegmentationClass", 11, {"ids-with-gaps"}),
    ],
)
def test_real_masks_are_repaired_and_their_originals_come_back(tmp_path, images, masks_folder, num_classes, codes):
    dataset = tmp_path / "dataset"
    for name, folder in (("train", images), ("train_annotation", masks_folder)):
        (dataset / name).mkdir(parents=True)
        for path in sorted((RAW / folder).iterdir())[:12]:
            (dataset / name / path.name).symlink_to(path)
    opened = open_dataset(dataset, required=("train", "train_annotation"))
    report = repair(opened, check_dataset(opened), tmp_path / "out")
    repaired = check_dataset(open_dataset(tmp_path / "out", required=("train", "train_annotation")))
    assert (repaired.faults, repaired.labels.num_classes) == ((), num_classes)
    assert (report.images, report.changes.keys()) == ({"train": 12}, codes)
    for path in sorted((dataset / "train_annotation").iterdir()):
        original, ids = Image.open(path), Image.open(tmp_path / "out" / "train_annotation" / path.name)
        back = source_mask(np.asarray(ids), repaired.labels)
        original = original.convert("RGB") if back.mode == "RGB" else original
        if original.size != back.size:
            original = original.resize(back.size, Image.Resampling.NEAREST)
        assert np.array_equal(np.asarray(back), np.asarray(original))
