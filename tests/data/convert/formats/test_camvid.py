"""CamVid: SegNet's 11 classes, the original 32 colours, and the grouping between them."""

import numpy as np
import pytest

from pixelwise.errors import DataError, SettingsError

# The table as it comes with the data set (Brostow, Fauqueur and Cipolla, 2009).
LABEL_COLORS = """\
64 128 64\tAnimal
192 0 128\tArchway
0 128 192\tBicyclist
0 128 64\tBridge
128 0 0\tBuilding
64 0 128\tCar
64 0 192\tCartLuggagePram
192 128 64\tChild
192 192 128\tColumn_Pole
64 64 128\tFence
128 0 192\tLaneMkgsDriv
192 0 64\tLaneMkgsNonDriv
128 128 64\tMisc_Text
192 0 192\tMotorcycleScooter
128 64 64\tOtherMoving
64 192 128\tParkingBlock
64 64 0\tPedestrian
128 64 128\tRoad
128 128 192\tRoadShoulder
0 0 192\tSidewalk
192 128 128\tSignSymbol
128 128 128\tSky
64 128 192\tSUVPickupTruck
0 0 64\tTrafficCone
0 64 64\tTrafficLight
192 64 128\tTrain
128 128 0\tTree
192 128 192\tTruck_Bus
64 0 64\tTunnel
192 192 0\tVegetationMisc
0 0 0\tVoid
64 192 0\tWall
"""
COLORS = np.array([[int(v) for v in line.split()[:3]] for line in LABEL_COLORS.splitlines()], dtype=np.uint8)
NAMES = [line.split()[3] for line in LABEL_COLORS.splitlines()]
ALL = COLORS.reshape(4, 8, 3).repeat(2, axis=0).repeat(2, axis=1)  # every class is a square of 2 x 2 pixels
SIZE = (16, 8)


def first(masks):
    return next(iter(masks.values()))


@pytest.fixture
def original(source, photo, encoded):
    files = {"label_colors.txt": LABEL_COLORS}
    for i in range(4):
        files[f"701_StillsRaw_full/0001TP_{i}.jpg"] = photo(i, SIZE)
        files[f"LabeledApproved_full/0001TP_{i}_L.png"] = encoded(ALL)
    return source(files)


def test_the_original_masks_give_32_classes_with_their_names_and_colours(original, converted):
    report, masks = converted("camvid", original)
    assert list(report.labels.names) == NAMES
    assert report.labels.colors[5] == (64, 0, 128)
    assert first(masks)[::2, ::2].tolist() == np.arange(32).reshape(4, 8).tolist()
    assert any("--num-classes 31 ignores it" in note for note in report.notes)


def test_31_classes_ignore_void(original, converted):
    report, masks = converted("camvid", original, num_classes=31)
    assert "Void" not in report.labels.names
    assert report.labels.ignored == ((0, 0, 0),)
    ids = first(masks)[::2, ::2].ravel()
    assert ids[NAMES.index("Void")] == 255
    assert ids[NAMES.index("Wall")] == 30


def test_11_classes_are_grouped_as_segnet_does(original, converted):
    report, masks = converted("camvid", original, num_classes=11)
    ids = dict(zip(NAMES, first(masks)[::2, ::2].ravel().tolist(), strict=True))
    # SegNet's order: sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist.
    expected = {
        "Sky": 0, "Archway": 1, "Bridge": 1, "Building": 1, "Tunnel": 1, "Wall": 1, "Column_Pole": 2, "TrafficCone": 2,
        "Road": 3, "LaneMkgsDriv": 3, "LaneMkgsNonDriv": 3, "Sidewalk": 4, "ParkingBlock": 4, "RoadShoulder": 4,
        "Tree": 5, "VegetationMisc": 5, "SignSymbol": 6, "Misc_Text": 6, "TrafficLight": 6, "Fence": 7, "Car": 8,
        "SUVPickupTruck": 8, "Truck_Bus": 8, "Train": 8, "OtherMoving": 8, "Pedestrian": 9, "Child": 9,
        "CartLuggagePram": 9, "Animal": 9, "Bicyclist": 10, "MotorcycleScooter": 10, "Void": 255,
    }  # fmt: skip
    assert ids == expected
    assert report.labels.sources[0] == ((128, 128, 128),)
    assert report.labels.ignored == ((0, 0, 0),)


def test_lists_and_folders_say_the_split(source, converted, photo, encoded):
    files = {"label_colors.txt": LABEL_COLORS, "train.txt": "stills/a.jpg\nstills/b.jpg\n", "val.txt": "stills/c.jpg\n"}
    files |= {f"stills/{stem}.jpg": photo(ord(stem), SIZE) for stem in "abc"}
    files |= {f"masks/{stem}_L.png": encoded(ALL) for stem in "abc"}
    _, masks = converted("camvid", source(files))
    assert set(masks) == {"train/a", "train/b", "validation/c"}


def test_class_dict_and_split_folders_as_another_release_has_them(source, converted, photo, encoded):
    rows = [f"{name},{r},{g},{b}" for name, (r, g, b) in zip(NAMES, COLORS.tolist(), strict=True)]
    files = {"class_dict.csv": "\n".join(["name,r,g,b", *rows])}
    for split, stem in (("train", "a"), ("train", "b"), ("val", "c"), ("test", "d")):
        files |= {f"{split}/{stem}.png": photo(ord(stem), SIZE), f"{split}_labels/{stem}_L.png": encoded(ALL)}
    report, masks = converted("camvid", source(files))
    assert set(masks) == {"train/a", "train/b", "validation/c", "test/d"}
    assert list(report.labels.names) == NAMES


@pytest.fixture
def segnet(source, photo, encoded):
    ids = np.arange(12, dtype=np.uint8).reshape(2, 6).repeat(2, axis=1)
    files = {}
    for split, stem in (("train", "a"), ("train", "b"), ("val", "c"), ("test", "d")):
        files |= {
            f"CamVid/{split}/{stem}.png": photo(ord(stem), (12, 2)),
            f"CamVid/{split}annot/{stem}.png": encoded(ids),
        }
    return source(files)


def test_segnets_folders_give_11_classes_and_ignore_void(segnet, converted):
    report, masks = converted("camvid", segnet)
    assert masks["train/a"][:, ::2].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 255]]
    assert set(masks) == {"train/a", "train/b", "validation/c", "test/d"}
    assert report.labels.names[:4] == ("sky", "building", "pole", "road")
    assert report.labels.ignored == (11,)


def test_32_classes_cannot_be_had_from_11(segnet, converted):
    with pytest.raises(SettingsError, match=r"num_classes is 32, but the masks of .* have SegNet's 11"):
        converted("camvid", segnet, num_classes=32)


def test_another_number_is_refused(original, converted):
    with pytest.raises(SettingsError, match=r"num_classes is 20.*Expected 11, 31 or 32"):
        converted("camvid", original, num_classes=20)


def test_without_its_table_the_original_is_refused(original, converted):
    (original / "label_colors.txt").unlink()
    with pytest.raises(DataError, match=r"lacks label_colors\.txt"):
        converted("camvid", original)


def test_another_layout_is_told_from_it(source, converted, photo):
    with pytest.raises(DataError, match=r"is not CamVid; it has photos\. Expected train"):
        converted("camvid", source({"photos/a.jpg": photo(0)}))
