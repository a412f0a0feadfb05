import json
import os

import pytest

from pixelwise.data.dataset.manifest import ManifestLine, read_manifest
from pixelwise.errors import DataError


def write(folder, *lines, name="output.manifest"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content does not matter here")


def line(name, **more):
    return {"source-ref": f"s3://bucket/images/{name}.jpg", "street-ref": f"s3://bucket/masks/{name}.png", **more}


def class_map(**names):
    entries = {key: {"class-name": name, "hex-color": "#0a141e", "confidence": 0.9} for key, name in names.items()}
    return {"internal-color-map": entries, "type": "groundtruth/semantic-segmentation", "human-annotated": "yes"}


def texts(manifest):
    return [str(finding) for finding in manifest.findings]


def test_references_are_files_beside_the_manifest(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "images/b.jpg", "masks/b.png")
    manifest = read_manifest(write(tmp_path, line("a"), "", line("b")))
    assert manifest.lines == tuple(
        ManifestLine(tmp_path / "images" / f"{name}.jpg", tmp_path / "masks" / f"{name}.png") for name in "ab"
    )
    assert (manifest.attribute, manifest.labels, manifest.findings) == ("street-ref", None, ())


@pytest.mark.parametrize("place", ["deep/images/a.jpg", "images/a.jpg", "a.jpg"])
def test_an_s3_address_is_found_with_any_part_of_its_folders(tmp_path, place):
    touch(tmp_path, place)
    manifest = read_manifest(write(tmp_path, {"source-ref": "s3://bucket/deep/images/a.jpg"}))
    assert manifest.lines == (ManifestLine(tmp_path / place, None),)


def test_the_fullest_path_wins(tmp_path):
    touch(tmp_path, "a.jpg", "images/a.jpg")
    manifest = read_manifest(write(tmp_path, {"source-ref": "s3://bucket/images/a.jpg"}))
    assert manifest.lines[0].image == tmp_path / "images" / "a.jpg"


def test_paths_and_file_addresses_are_taken_as_they_are(tmp_path):
    touch(tmp_path, "here/a b.jpg", "there/c.jpg", "there/d.jpg")
    address = (tmp_path / "here" / "a b.jpg").as_uri()
    absolute = str(tmp_path / "there" / "d.jpg")
    path = write(tmp_path, *({"source-ref": reference} for reference in (address, "there/c.jpg", absolute)))
    assert [found.image.name for found in read_manifest(path).lines] == ["a b.jpg", "c.jpg", "d.jpg"]


def test_ground_truth_masks_are_found_from_the_folder_of_the_job(tmp_path):
    touch(tmp_path, "job/annotations/consolidated-annotation/output/0.png", "images/a.jpg")
    path = write(
        tmp_path / "job" / "manifests" / "output",
        {
            "source-ref": "s3://bucket/images/a.jpg",
            "street-ref": "s3://bucket/labelling/job/annotations/consolidated-annotation/output/0.png",
        },
    )
    manifest = read_manifest(path)
    assert [file.name for file in manifest.lines[0] if file] == ["a.jpg", "0.png"]


def test_a_key_cannot_lead_out_of_the_folder(tmp_path):
    touch(tmp_path, "secret.jpg")
    manifest = read_manifest(write(tmp_path / "inside", {"source-ref": "s3://bucket/../secret.jpg"}))
    assert manifest.lines == ()
    assert "line 1" in texts(manifest)[0]


def test_a_missing_file_is_a_finding_with_the_places_looked_at(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "images/b.jpg")
    manifest = read_manifest(write(tmp_path, line("a"), line("b")))
    assert len(manifest.lines) == 1
    (finding,) = manifest.findings
    assert finding.code == "manifest"
    for words in ("line 2", "s3://bucket/masks/b.png", "masks/b.png, b.png", str(tmp_path)):
        assert words in str(finding)


def test_two_addresses_that_lead_to_one_file_are_a_finding(tmp_path):
    touch(tmp_path, "1.jpg")
    path = write(tmp_path, {"source-ref": "s3://bucket/x/1.jpg"}, {"source-ref": "s3://bucket/y/1.jpg"})
    manifest = read_manifest(path)
    assert len(manifest.lines) == 1
    assert "line 2" in texts(manifest)[0]
    assert "line 1" in texts(manifest)[0]


def test_one_file_as_image_and_mask_is_a_finding(tmp_path):
    touch(tmp_path, "1.png")
    path = write(tmp_path, {"source-ref": "1.png", "street-ref": "1.png"})
    assert "image and mask" in texts(read_manifest(path))[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ('"a.jpg"', "is str"),
        ('{"source": "a.jpg"}', 'has no "source-ref"'),
        ('{"source-ref": 7}', "reference 7"),
        ('{"source-ref": "https://example.org/a.jpg"}', "not fetched"),
        ('{"source-ref": "s3://bucket"}', "s3://bucket"),
        ('{"source-ref": "\\u0000"}', "not found"),
        (f'{{"source-ref": "{"x" * 5000}"}}', "not found"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_finding_and_the_others_are_kept(tmp_path, content, words):
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    manifest = read_manifest(write(tmp_path, line("a"), content))
    assert len(manifest.lines) == 1
    (found,) = texts(manifest)
    assert "line 2" in found
    assert words in found


def test_several_labels_are_asked_about_and_can_be_chosen(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "better/a.png")
    path = write(tmp_path, line("a", **{"adjusted-ref": "s3://bucket/better/a.png"}))
    with pytest.raises(DataError, match="adjusted-ref, street-ref"):
        read_manifest(path)
    for attribute in ("adjusted", "adjusted-ref"):
        assert read_manifest(path, attribute=attribute).lines[0].mask == tmp_path / "better" / "a.png"


def test_labels_that_no_line_has_are_refused_with_those_there_are(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    with pytest.raises(DataError, match=r"'road-ref'.*street-ref"):
        read_manifest(write(tmp_path, line("a")), attribute="road")


def test_an_unlabelled_line_among_labelled_ones_is_a_finding(tmp_path):
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "masks/b.png")
    manifest = read_manifest(write(tmp_path, {"source-ref": "s3://bucket/images/a.jpg"}, line("b")))
    assert [found.image.name for found in manifest.lines] == ["b.jpg"]
    assert "line 1" in texts(manifest)[0]


def test_a_failed_labelling_is_a_finding_with_its_reason(tmp_path):
    touch(tmp_path, "images/a.jpg")
    failed = {
        "source-ref": "s3://bucket/images/a.jpg",
        "street-ref-metadata": {"failure-reason": "ClientError: image too large", "job-name": "labeling-job/street"},
    }
    manifest = read_manifest(write(tmp_path, failed))
    assert manifest.lines == ()
    assert "ClientError: image too large" in texts(manifest)[0]


def test_the_colour_maps_of_all_lines_name_the_classes(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "images/b.jpg", "masks/b.png")
    first = line("a", **{"street-ref-metadata": class_map(**{"0": "BACKGROUND", "1": "road"})})
    second = line("b", **{"street-ref-metadata": class_map(**{"0": "BACKGROUND", "3": "car"})})
    labels = read_manifest(write(tmp_path, first, second)).labels
    assert labels is not None
    assert labels.names == ("BACKGROUND", "road", "class 2", "car")
    assert labels.colors[1] == (10, 20, 30)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"0": "BACKGROUND", "1": "car"}, "calls class 1 'car'"),
        ({"0": "BACKGROUND", "2": "road"}, "one class of that name"),
        ({"300": "road"}, "has the class '300'"),
        ({"1": ""}, "has the class '1'"),
    ],
)
def test_colour_maps_that_contradict_each_other_are_a_finding(tmp_path, names, words):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "images/b.jpg", "masks/b.png")
    first = line("a", **{"street-ref-metadata": class_map(**{"0": "BACKGROUND", "1": "road"})})
    second = line("b", **{"street-ref-metadata": class_map(**names)})
    manifest = read_manifest(write(tmp_path, first, second))
    assert len(manifest.lines) == 1
    assert words in texts(manifest)[0]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x89PNG\r\n\x1a\n", b"[1]\n"])
def test_a_file_that_is_no_manifest_is_refused(tmp_path, content):
    path = tmp_path / "train.manifest"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train\.manifest: is no manifest"):
        read_manifest(path)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.manifest: cannot be read"):
        read_manifest(tmp_path / "none.manifest")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    path = tmp_path / "train.manifest"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line("a")).encode() + b"\r\n")
    assert [os.fspath(file.name) for file in read_manifest(path).lines[0] if file] == ["a.jpg", "a.png"]
