"""SageMaker Ground Truth's output manifests."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.ground_truth.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

IDS = np.array([[0, 0, 1, 1], [0, 2, 2, 1]], dtype=np.uint8)
# As in the developer guide's example.
COLOR_MAP = {
    "0": {"class-name": "BACKGROUND", "confidence": 0.9, "hex-color": "#ffffff"},
    "1": {"class-name": "buildings", "confidence": 0.9, "hex-color": "#2acf59"},
    "2": {"class-name": "road", "confidence": 0.9, "hex-color": "#f28333"},
}
WHITE, GREEN, ORANGE = (255, 255, 255), (42, 207, 89), (242, 131, 51)
KEYS = "job/annotations/consolidated-annotation/output"


def palette_of(*colors):
    return bytes(channel for color in (*colors, *[WHITE] * (256 - len(colors))) for channel in color)


PALETTE = palette_of(WHITE, GREEN, ORANGE)


def add(root: Path, stem: str, *, ids=IDS, palette=PALETTE, mode="P", key="city") -> None:
    mask = Image.fromarray(ids)
    if mode != "L":
        mask.putpalette(palette)
    path = root / KEYS / f"{stem}_{key}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.convert(mode).save(path)
    (root / "photos").mkdir(exist_ok=True)
    pixels = np.random.default_rng(sum(stem.encode())).integers(0, 256, (*ids.shape, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "photos" / f"{stem}.png")


def line(stem: str, *, key="city", colors=COLOR_MAP, created="2022-10-18T22:18:13.527256", **more):
    metadata = {
        "internal-color-map": colors, "type": "groundtruth/semantic-segmentation", "human-annotated": "yes",
        "creation-date": created, "job-name": f"labeling-job/{key}", **more,
    }  # fmt: skip
    return {
        "source-ref": f"s3://bucket/raw/photos/{stem}.png",
        f"{key}-ref": f"s3://bucket/out/{KEYS}/{stem}_{key}.png",
        f"{key}-ref-metadata": metadata,
    }


def write(root: Path, *lines, name="job/manifests/output/output.manifest") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in lines))


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: item.class_ids().tolist() for item in conversion.items}


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_a_job_is_read_with_names_and_colours(tmp_path, mode):
    add(tmp_path, "a", mode=mode)
    write(tmp_path, line("a"))
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("BACKGROUND", "buildings", "road")
    assert conversion.labels.colors == (WHITE, GREEN, ORANGE)
    assert conversion.labels.sources == ()
    assert conversion.items[0].image == "photos/a.png"
    assert items == {"a": IDS.tolist()}
    assert conversion.notes == ()


def test_wrong_indices_of_mid_2020_are_repaired_by_colour(tmp_path):
    wrong = np.array([[0, 0, 2, 2], [0, 1, 1, 2]], dtype=np.uint8)
    for stem in ("a", "b"):
        add(tmp_path, stem, ids=wrong, palette=palette_of(WHITE, ORANGE, GREEN))
    write(tmp_path, line("a", created="2020-06-04T00:00:00"), line("b", created="2020-09-04T23:59:59.5"))
    conversion, items = opened(tmp_path)
    assert items == {"a": IDS.tolist(), "b": IDS.tolist()}
    assert conversion.notes[0].startswith("2 masks of jobs between 2020-06-04 and 2020-09-04 have wrong indices")


def test_masks_of_mid_2020_that_are_right_are_not_mentioned(tmp_path):
    add(tmp_path, "a")
    write(tmp_path, line("a", created="2020-07-18T22:18:13"))
    conversion, items = opened(tmp_path)
    assert (items["a"], conversion.notes) == (IDS.tolist(), ())


def test_gray_masks_hold_the_keys_of_the_map_except_in_mid_2020(tmp_path):
    add(tmp_path, "a", mode="L")
    write(tmp_path, line("a"))
    assert opened(tmp_path)[1]["a"] == IDS.tolist()
    write(tmp_path, line("a", created="2020-07-18T22:18:13"))
    with pytest.raises(DataError, match="colours that its internal-color-map does not list: #000000"):
        opened(tmp_path)


def test_a_line_may_list_only_the_classes_in_its_image(tmp_path):
    add(tmp_path, "a", ids=np.where(IDS == 1, 0, IDS).astype(np.uint8))
    add(tmp_path, "b", ids=np.where(IDS == 2, 0, IDS).astype(np.uint8))
    write(
        tmp_path,
        line("a", colors={key: COLOR_MAP[key] for key in "02"}),
        line("b", colors={key: COLOR_MAP[key] for key in "01"}),
    )
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("BACKGROUND", "buildings", "road")
    assert items["a"] == np.where(IDS == 1, 0, IDS).tolist()


def test_keys_with_gaps_become_ids_without_and_the_colours_are_kept(tmp_path):
    add(tmp_path, "a", ids=np.where(IDS == 1, 7, 0).astype(np.uint8), palette=palette_of(*[WHITE] * 7, GREEN))
    write(tmp_path, line("a", colors={"0": COLOR_MAP["0"], "7": COLOR_MAP["1"]}))
    conversion, items = opened(tmp_path)
    assert items["a"] == np.where(IDS == 1, 1, 0).tolist()
    assert conversion.labels.sources == ((WHITE,), (GREEN,))


def test_a_map_without_background_gets_one_that_is_white(tmp_path):
    add(tmp_path, "a", ids=np.minimum(IDS, 1))
    write(tmp_path, line("a", colors={"0": COLOR_MAP["1"]}))
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "buildings")
    assert items["a"] == np.minimum(IDS, 1).tolist()


def test_several_labels_are_chosen_among_by_attribute(tmp_path):
    add(tmp_path, "a")
    add(tmp_path, "a", key="adjusted", ids=np.flipud(IDS))
    write(tmp_path, line("a") | line("a", key="adjusted"))
    with pytest.raises(DataError, match=r"adjusted-ref \(labeling-job/adjusted\); city-ref .*--attribute"):
        opened(tmp_path)
    assert opened(tmp_path, attribute="adjusted")[1]["a"] == np.flipud(IDS).tolist()
    assert opened(tmp_path, attribute="city-ref")[1]["a"] == IDS.tolist()
    with pytest.raises(DataError, match="no line has the label 'town'"):
        opened(tmp_path, attribute="town")


def test_keys_of_2018_and_verification_labels_are_understood(tmp_path):
    add(tmp_path, "a")
    old = line("a")
    old["city-metadata"] = old.pop("city-ref-metadata")
    old |= {"verify-city": "1", "verify-city-metadata": {"class-name": "bad", "type": "groundtruth/label-verification"}}
    write(tmp_path, old)
    assert opened(tmp_path)[1]["a"] == IDS.tolist()


def test_failed_lines_are_left_out_with_their_reason(tmp_path):
    add(tmp_path, "a")
    failed = {
        "source-ref": "s3://bucket/raw/photos/b.png",
        "city-ref": "",
        "city-ref-metadata": {"failure-reason": "x"},
    }
    write(tmp_path, line("a"), failed, {"source-ref": "s3://bucket/raw/photos/c.png"})
    conversion, items = opened(tmp_path)
    assert list(items) == ["a"]
    assert sorted(conversion.notes) == [
        "1 lines were left out: city-ref failed with x.", "1 lines were left out: they have no city-ref.",
    ]  # fmt: skip


def test_a_mask_that_is_not_here_is_a_finding_about_its_line(tmp_path):
    add(tmp_path, "a")
    (tmp_path / KEYS / "a_city.png").unlink()
    write(tmp_path, line("a"))
    with open_source(tmp_path) as source, pytest.raises(DataError, match=r"line 1 refers to s3://.*a_city\.png, which"):
        read(source, Options()).items[0].class_ids()


def test_colours_that_the_map_lacks_are_named(tmp_path):
    add(tmp_path, "a", palette=palette_of(WHITE, GREEN, (1, 2, 3)))
    write(tmp_path, line("a"))
    with pytest.raises(DataError, match="internal-color-map does not list: #010203"):
        opened(tmp_path)


def test_a_manifest_without_maps_asks_for_a_table(tmp_path):
    add(tmp_path, "a")
    plain = {key: value for key, value in line("a").items() if not key.endswith("-metadata")}
    write(tmp_path, plain, name="train.manifest")
    with pytest.raises(DataError, match="no internal-color-map, which names the classes of city-ref"):
        opened(tmp_path)
    conversion, items = opened(tmp_path, classes=LabelTable.named(["b", "c", "r"]))
    assert (conversion.items[0].split, items["a"]) == ("train", IDS.tolist())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is no JSON"),
        ('{"image": "a.png"}', 'line 1 has no "source-ref"'),
        ('{"source-ref": "a.png"}', "no line of the manifest has a label"),
        (json.dumps(line("a", colors={"x": {}})), "line 1: the map of city-ref has the class 'x'"),
        (json.dumps(line("a", colors={"1": {"class-name": "a", "hex-color": "red"}})), "has the colour 'red'"),
        (json.dumps(line("b")), "refers to s3://bucket/raw/photos/b.png, and neither this"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, message):
    (tmp_path / "output.manifest").write_text(text)
    with pytest.raises(DataError, match=message):
        opened(tmp_path)


def test_a_source_without_a_manifest_says_where_it_lies(tmp_path):
    with pytest.raises(DataError, match=r"has no manifest\. Expected manifests/output/output\.manifest"):
        opened(tmp_path)


def test_a_conversion_passes_check(tmp_path):
    root = tmp_path / "source"
    for i in range(5):
        add(root, f"{i}", ids=np.roll(IDS, i, axis=1))
    write(root, *(line(f"{i}") for i in range(5)))
    convert("ground-truth", root, tmp_path / "dataset", options=Options())
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []
