"""data.yaml as people have it: names in every form, splits by paths of other machines and by lists."""

import pytest

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.yolo.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.errors import DataError

LINE = "0 0 0 0.5 0 0.5 1 0 1\n"


@pytest.fixture
def opened(source, photo):
    """Read a source of images with labels at `places`, of other files and of a data.yaml: its conversion."""

    def run(places, yaml, **files):
        made = {name: text for name, text in files.items()}
        for i, place in enumerate(places):
            made[f"{place}.jpg"] = photo(i)
            head, found, tail = place.rpartition("images/")
            made[f"{head}labels/{tail}.txt" if found else f"{place}.txt"] = LINE
        if yaml is not None:
            made["data.yaml"] = yaml
        with open_source(source(made)) as content:
            return read(content, Options())

    return run


def splits(conversion):
    return {item.image: item.split for item in conversion.items}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [dent, scratch]", ("dent", "scratch")),
        ("names:\n  0: dent\n  1: scratch\n", ("dent", "scratch")),
        ("names:\n  '1': scratch\n  '0': dent\n", ("dent", "scratch")),
        ("names:\n- dent\n- scratch\nnc: 2\nroboflow:\n  workspace: x\n", ("dent", "scratch")),
        ("\ufeffnames: ['no', off]  # YAML 1.1 has these for false\n", ("no", "off")),
        ("names: [1, 2.5]", ("1", "2.5")),
        ("nc: 2", ("class 0", "class 1")),
        ("names: [car, car, bus]", ("car", "bus")),
    ],
)
def test_names_are_read_in_every_form(opened, text, names):
    conversion = opened(["images/a"], text)
    assert conversion.labels.names == ("background", *names)


def test_classes_of_one_name_are_one_and_are_named(opened):
    conversion = opened(["images/a"], "names: [car, bus, car]")
    assert "The classes 0, 2 are all called car and became one class." in conversion.notes
    assert conversion.labels.sources == ((), (0, 2), (1,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [dent]\nnc: 2", "has 1 names and nc: 2. Expected a name for each class"),
        ("names: dent, scratch", "has names: 'dent, scratch'. Expected a list of names"),
        ("names:\n", "has names: ''"),
        ("names: [dent, [a, b]]", "names class '1' a list"),
        ("names: [dent, '']", "names class '1' ''"),
        ("names: {a: dent}", "names class 'a' 'dent'"),
        ("names: {-1: dent}", "names class '-1' 'dent'"),
        ("nc: many", "has nc: 'many'. Expected a number of classes up to 254"),
        ("nc: 999999999", "has nc: '999999999'"),
        ("names: [dent", "is no YAML"),
        ("train: images", "has neither names nor nc"),
        ("just a text", "has neither names nor nc"),
        ("", "has neither names nor nc"),
        ("[" * 5000, "is no YAML"),
        ("names: [dent]\nkpt_shape: [17, 3]", "has kpt_shape: its labels are boxes with key points"),
        ("names: [dent]\ntrain: {a: b}", "has a train that is neither a path nor a list of paths"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(opened, text, message):
    with pytest.raises(DataError) as error:
        opened(["images/a"], text)
    assert "data.yaml: " in str(error.value)
    assert message in str(error.value)


def test_aliases_do_not_make_a_message_endless(opened):
    levels = ["a: &a [x,x,x,x,x,x,x,x,x,x]"] + [
        f"{key}: &{key} [{','.join([f'*{last}'] * 10)}]" for last, key in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(DataError) as error:
        opened(["images/a"], "\n".join([*levels, "names: *i"]))
    assert len(str(error.value)) < 400


PLACES = ["train/images/a", "valid/images/b", "test/images/c"]
IN_PLACES = {"train/images/a.jpg": "train", "valid/images/b.jpg": "validation", "test/images/c.jpg": "test"}


@pytest.mark.parametrize(
    "paths",
    [
        "train: train/images\nval: valid/images\ntest: test/images",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images",  # as Roboflow writes them
        "path: /home/somebody/export\ntrain: train/images\nval: valid/images/\ntest: ./test/images",
        "train: /content/export-1/train/images\nval: /content/export-1/valid/images\ntest: /content/export-1/test",
        "train: C:\\data\\train\\images\nval: C:\\data\\valid\\images\ntest: C:\\data\\test\\images",
        "path: ../datasets/my_test_data\ntrain: [train/images]\nval: valid\ntest: [test/images, '']",
        "path: .\ntrain: train\nval: valid\ntest: test",
        "",
    ],
)
def test_paths_of_other_machines_lead_to_the_folders_here(opened, paths):
    conversion = opened(PLACES, f"names: [dent]\n{paths}\n")
    assert splits(conversion) == IN_PLACES
    assert not any("data.yaml" in note for note in conversion.notes)


def test_a_description_below_the_root_speaks_of_its_own_folder(opened):
    conversion = opened(
        ["set/images/train/a", "set/images/val/b"],
        None,
        **{"set/data.yaml": "names: [dent]\npath: .\ntrain: images/train\nval: images/val\n"},
    )
    assert splits(conversion) == {"set/images/train/a.jpg": "train", "set/images/val/b.jpg": "validation"}


def test_lists_say_the_splits_whatever_the_folders_are(opened):
    conversion = opened(
        ["images/a", "images/b", "images/c", "images/d"],
        "names: [dent]\ntrain: train.txt\nval: lists/val.txt\ntest: gone.txt\n",
        **{"train.txt": "./images/a.jpg\nimages/b.jpg\nimages/lost.jpg\n", "lists/val.txt": "/other/images/c.jpg\r\n"},
    )
    assert splits(conversion) == {"images/a.jpg": "train", "images/b.jpg": "train", "images/c.jpg": "validation"}
    notes = " ".join(conversion.notes)
    assert "1 image of train.txt not here and left out: images/lost.jpg." in notes
    assert "data.yaml: test is gone.txt, which is not here." in notes
    assert "1 image with labels in no split of data.yaml left out: images/d.jpg." in notes


def test_an_image_of_two_splits_is_held_out(opened):
    text = "names: [dent]\ntrain: images/train\nval: images/train\n"
    conversion = opened(["images/train/a", "images/train/b"], text)
    assert set(splits(conversion).values()) == {"validation"}
    assert "2 images of validation are in another split too and became validation." in conversion.notes


def test_where_no_path_leads_anywhere_the_folders_say_the_splits(opened):
    conversion = opened(["images/train/a", "images/val/b"], "names: [dent]\ntrain: /x/y\nval: /x/z\n")
    assert set(splits(conversion).values()) == {"train", "validation"}
    assert "data.yaml: train is /x/y, which is not here." in conversion.notes
    assert "The splits are those of the folders: data.yaml lists none of the images here." in conversion.notes


def test_a_path_never_becomes_that_of_another_split(opened):
    conversion = opened(["images/a", "images/b"], "names: [dent]\ntrain: /x/train/images\nval: /x/valid/images\n")
    assert set(splits(conversion).values()) == {None}


def test_another_name_of_the_description_will_do_and_several_are_refused(opened):
    conversion = opened(["images/a"], None, **{"cracks-seg.yaml": "names: [dent]", "hyp.yaml": "lr0: 0.01"})
    assert conversion.labels.names == ("background", "dent")
    with pytest.raises(DataError, match=r"x/data\.yaml, y/data\.yaml may each describe the dataset"):
        opened(["x/images/a"], None, **{"x/data.yaml": "names: [dent]", "y/data.yaml": "names: [bus]"})


def test_classes_txt_names_the_classes_where_there_is_no_yaml(opened):
    conversion = opened(["images/a"], None, **{"classes.txt": "dent\nscratch\n", "notes.json": "{}"})
    assert conversion.labels.names == ("background", "dent", "scratch")


def test_equal_lists_of_names_are_one(opened):
    lists = {"labels/train/classes.txt": "dent\n", "labels/val/classes.txt": "dent\n"}
    assert opened(["images/train/a", "images/val/b"], None, **lists).labels.names == ("background", "dent")
