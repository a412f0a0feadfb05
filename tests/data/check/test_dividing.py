"""Validation is taken from train by names; near-duplicates, videos and groups of a pattern stay on one side."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.check.duplicates import apart, fingerprint, within
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.dataset.splits.kept import KeptSplit, write_split
from pixelwise.data.dataset.splits.sides import SHARE, place
from pixelwise.errors import DataError, SettingsError


def scene(seed, size=96):
    """A picture of large soft shapes, as unlike another seed's as two photographs."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC).convert("RGB")


def save(root, name, picture, classes=(0, 1)):
    mask = np.zeros((picture.height, picture.width), np.uint8)
    for i, each in enumerate(classes):
        mask[i * 8 : i * 8 + 8] = each
    for folder, content, suffix in (("images", picture, "png"), ("masks", Image.fromarray(mask), "png")):
        path = root / folder / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content.save(path)


def sides(root, split_by=None, **options):
    report = check_dataset(open_dataset(root, rule=SplitRule(split_by)), **options)
    assert report.faults == ()
    return {name: set(pairs.names) for name, pairs in report.pairs.items()}, report


def side_of(name, found):
    (side,) = (side for side, names in found.items() if name in names)
    return side


def test_a_fifth_by_the_hash_of_the_name_and_the_same_when_files_come(tmp_path):
    for i in range(30):
        save(tmp_path, f"p{i}", scene(i))
    found, report = sides(tmp_path)
    assert found["validation"] == {f"p{i}" for i in range(30) if place(f"p{i}") < SHARE}
    assert report.division.train + report.division.validation == 30
    assert (report.division.groups, report.division.united) == (30, 0)
    for i in range(30, 40):
        save(tmp_path, f"p{i}", scene(i))
    later, _ = sides(tmp_path)
    assert found["validation"] <= later["validation"]
    assert found["train"] <= later["train"]


def test_each_file_is_looked_at_once_and_both_sides_are_measured(tmp_path):
    for i in range(20):
        save(tmp_path, f"p{i}", scene(i))
    seen = []
    _, report = sides(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 20) for i in range(20)]
    assert all(facts.measured > 0 for facts in report.splits.values())
    assert sum(len(facts.pairs) for facts in report.splits.values()) == 20


def test_near_duplicates_stay_on_one_side(tmp_path):
    for i in range(20):
        save(tmp_path, f"p{i}", scene(i))
        save(tmp_path, f"copy{i}", scene(i).filter(ImageFilter.GaussianBlur(1)))
    found, report = sides(tmp_path)
    assert [i for i in range(20) if side_of(f"p{i}", found) != side_of(f"copy{i}", found)] == []
    assert (report.division.groups, report.division.united) == (20, 40)
    assert [finding.code for finding in report.findings if "across" in finding.code] == []


def test_frames_of_a_video_stay_on_one_side(tmp_path):
    # Each drive pans over a picture of its own: neighbours are alike, the ends are not.
    for drive in range(8):
        wide = scene(drive, 480)
        for i in range(10):
            save(tmp_path, f"d{drive}x_{i * 100:05}", wide.crop((i * 20, 0, i * 20 + 120, 120)))
    found, report = sides(tmp_path)
    for drive in range(8):
        assert len({side_of(f"d{drive}x_{i * 100:05}", found) for i in range(10)}) == 1
    assert all(found.values())
    assert 2 <= report.division.groups <= 8


def test_frames_that_are_called_so_stay_on_one_side_whatever_they_show(tmp_path):
    for clip in range(6):
        for i in range(5):
            save(tmp_path, f"clip{clip}_{i}", scene(10 * clip + i))
    found, _ = sides(tmp_path)
    assert all(len({side_of(f"clip{clip}_{i}", found) for i in range(5)}) == 1 for clip in range(6))


def test_one_video_alone_is_cut_at_its_end_and_that_is_said(tmp_path):
    wide = scene(3, 960)
    for i in range(20):
        save(tmp_path, f"v_{i}", wide.crop((i * 40, 0, i * 40 + 120, 120)))
    found, report = sides(tmp_path)
    assert found["validation"] == {f"v_{i}" for i in range(16, 20)}
    assert "all pairs are frames of one video, cut into its first and its last part" in report.text()


def test_pictures_that_are_all_the_same_are_told_apart_by_name(tmp_path):
    for i in range(12):
        save(tmp_path, "abcdefghijkl"[i], scene(1))
    found, report = sides(tmp_path)
    assert all(found.values())
    assert "all pictures are near-duplicates" in report.text()


def test_a_class_of_two_pictures_is_on_both_sides(tmp_path):
    rare = [i for i in range(30) if place(f"p{i}") > SHARE][:2]
    for i in range(30):
        save(tmp_path, f"p{i}", scene(i), classes=(0, 1, 2) if i in rare else (0, 1))
    _, report = sides(tmp_path)
    assert all(facts.balance.pixels[2] > 0 for facts in report.splits.values())


def test_groups_of_a_pattern_stay_on_one_side(tmp_path):
    for i in range(40):
        save(tmp_path, f"{i}_patient{i % 10}", scene(i))
    found, report = sides(tmp_path, "*_patient{}")
    of_side = [{name.rpartition("patient")[2] for name in names} for names in found.values()]
    assert not of_side[0] & of_side[1]
    assert all(of_side)
    assert report.division.groups == 10
    assert report.to_json()["split"]["split_by"] == "*_patient{}"


def test_a_pattern_stands_in_place_of_what_the_names_seem_to_say(tmp_path):
    # By the word clip, the last number would count frames, and each clip unite all patients.
    for patient in range(6):
        for clip in range(3):
            save(tmp_path, f"clip{clip}_p{patient}", scene(10 * patient + clip))
    _, report = sides(tmp_path, "*_p{}")
    assert report.division.groups == 6


def test_a_pattern_that_does_not_fit_is_refused_before_the_looks(tmp_path):
    for name in ("a_1", "b"):
        save(tmp_path, name, scene(1))
    with pytest.raises(SettingsError, match="does not fit 1 of 2 names: 'b'"):
        check_dataset(open_dataset(tmp_path, rule=SplitRule("{}_*")), progress=lambda *_: pytest.fail("looked"))


def test_one_pair_cannot_be_divided(tmp_path):
    save(tmp_path, "a", scene(1))
    report = check_dataset(open_dataset(tmp_path))
    assert [(fault.code, fault.file.name) for fault in report.faults] == [("empty-channel", "images")]
    assert "none is left for validation" in report.faults[0].found


def test_two_pairs_are_one_and_one(tmp_path):
    for name in ("a", "b"):
        save(tmp_path, name, scene(ord(name)))
    found, _ = sides(tmp_path)
    assert sorted(map(len, found.values())) == [1, 1]


def test_damaged_files_are_faults_and_no_traceback(tmp_path):
    for i in range(5):
        save(tmp_path, f"p{i}", scene(i))
    (tmp_path / "images" / "p0.png").write_bytes(b"")
    (tmp_path / "masks" / "p1.png").write_bytes(b"no picture")
    report = check_dataset(open_dataset(tmp_path))
    assert {fault.file.name for fault in report.faults} == {"p0.png", "p1.png"}


def test_pictures_of_which_none_can_be_read_are_faults(tmp_path):
    for i in range(3):
        save(tmp_path, f"p{i}", scene(i))
        (tmp_path / "images" / f"p{i}.png").write_bytes(b"")
        (tmp_path / "masks" / f"p{i}.png").write_bytes(b"")
    faults = check_dataset(open_dataset(tmp_path)).faults
    assert [fault.code for fault in faults] == ["empty-file"] * 6


def test_a_kept_split_is_kept_and_what_is_new_is_left_out(tmp_path):
    for i in range(6):
        save(tmp_path, f"p{i}", scene(i))
    path = tmp_path / "split.json"
    write_split(path, ["p0", "p1", "p2"], ["p3", "p4"], {"split_by": None})
    report = check_dataset(open_dataset(tmp_path, rule=SplitRule(kept=KeptSplit.read(path))))
    assert {name: pairs.names for name, pairs in report.pairs.items()} == {
        "train": ["p0", "p1", "p2"],
        "validation": ["p3", "p4"],
    }
    assert "New since then and left out: 1 pair, p5." in report.text()
    (tmp_path / "masks" / "p0.png").unlink()
    with pytest.raises(DataError, match=r"split\.json: lists 1 pair that the dataset lacks: p0\."):
        check_dataset(open_dataset(tmp_path, rule=SplitRule(kept=KeptSplit.read(path))))


def test_a_name_of_any_bytes_comes_back_and_a_name_twice_is_one(tmp_path):
    # A manifest may list a pair twice; a Latin-1 file name is no UTF-8.
    write_split(tmp_path / "split.json", ["\udce9", "a", "a"], ["b"], {"split_by": "{}_*"})
    kept = KeptSplit.read(tmp_path / "split.json")
    assert (kept.train, kept.validation, kept.split_by) == ({"\udce9", "a"}, {"b"}, "{}_*")


RULE = '"rule": {"split_by": null}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": 2}',
        '{"format": 1, "train": [], "validation": ["a"], ' + RULE + "}",
        '{"format": 1, "train": ["a"], "validation": [1], ' + RULE + "}",
        '{"format": 1, "train": ["a", "a"], "validation": ["b"], ' + RULE + "}",
        '{"format": 1, "train": ["a"], "validation": ["a"], ' + RULE + "}",
        '{"format": 1, "train": ["a"], "validation": ["b"], "rule": {"split_by": 3}}',
        '{"format": 1, "train": ["a"], "validation": ["b"]}',
    ],
)
def test_a_damaged_split_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(DataError, match=r"split\.json: cannot be read as the split of a run"):
        KeptSplit.read(tmp_path / "split.json")


def test_every_near_duplicate_has_a_link():
    pictures = np.array([fingerprint(scene(i % 7).filter(ImageFilter.GaussianBlur(i / 20))) for i in range(28)])
    links = within(pictures)
    assert all(first < second and first % 7 == second % 7 for first, second, _ in links)
    assert {i for link in links for i in link[:2]} == set(range(28))


def test_distances_row_by_row():
    plain = fingerprint(Image.new("RGB", (64, 64), "red"))
    other = fingerprint(Image.new("RGB", (64, 64), "blue"))
    first, second = np.array([fingerprint(scene(1)), plain, plain]), np.array([fingerprint(scene(1)), plain, other])
    np.testing.assert_array_equal(apart(first, second), [0, 0, np.nan])
