"""What predict takes of folders, patterns and names, what it leaves out and names, and files of several frames."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin, features

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.decoders.formats import readable_formats
from pixelwise.data.display import Display
from pixelwise.errors import DataError
from pixelwise.inference import inputs
from pixelwise.inference.files import predict_files
from pixelwise.inference.inputs import find_images, readable_suffixes
from pixelwise.inference.pictures import count_frames
from pixelwise.inference.predictor import Prediction
from pixelwise.labels import LabelTable

# As the formats' specifications have them.
HEIC = b"\0\0\0\x18ftypheic" + b"0" * 50
DICOM = b"\0" * 128 + b"DICM"
FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF",
    ".tiff": "TIFF", ".gif": "GIF", ".jp2": "JPEG2000", ".ppm": "PPM", ".pgm": "PPM", ".tga": "TGA", ".avif": "AVIF",
}  # fmt: skip
SHIPPED = sorted(FORMATS.keys() & readable_suffixes())


class Zeros:
    """A predictor that answers with class 0 at the image's size."""

    def __init__(self, bands=PHOTOGRAPH):
        self.labels, self.bands = LabelTable.numbered(2), bands

    def predict(self, image, *, probabilities=False):
        return Prediction(np.zeros(image.size[::-1], dtype=np.uint8), self.labels)


def predicted(tmp_path, *given):
    return predict_files(Zeros(), list(map(str, given)), tmp_path / "masks", overlays=None, probabilities=False)


@pytest.fixture
def photos(tmp_path):
    """A folder, and a way to put images into it."""

    def put(name, *, kind=None, mode="RGB", **options):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (8, 6), 90).save(path, kind, **options)
        return path

    put("a.jpg")
    put.folder = tmp_path / "photos"
    return put


@pytest.mark.parametrize("suffix", SHIPPED)
def test_a_format_is_predicted_in_a_folder_by_a_pattern_and_by_name(photos, tmp_path, suffix):
    path = photos(f"b{suffix.upper()}", kind=FORMATS[suffix], mode="L" if suffix == ".pgm" else "RGB")
    for given in (photos.folder, photos.folder / "b.*", path):
        report = predicted(tmp_path, given)
        assert report.complete
        assert tmp_path / "masks" / "b.png" in report.written


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("camera.nef", b"MM\0*" + bytes(20), ".nef"),
        ("camera.DNG", b"II*\0" + bytes(20), ".dng"),
        ("design.psd", b"8BPS\0\1" + bytes(20), "Photoshop"),
        ("scan.nii", bytes(30), ".nii"),
        ("export.data", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
    ],
)
def test_an_image_in_a_format_that_is_not_read_is_left_out_and_named(photos, tmp_path, name, content, word):
    path = photos.folder / name
    path.write_bytes(content)
    for given in (photos.folder, photos.folder / "*", path):
        report = predicted(tmp_path, given)
        assert not report.complete
        assert report.left_out == [f"{path}: images in {word} are not read. Export it as PNG or TIFF."]
        assert f"1 image left out:\n{path}: " in report.text()
        assert report.passed_over == 0


@pytest.mark.parametrize(
    ("name", "content", "kind", "extra"),
    [
        ("phone.heic", HEIC, "HEIC", "heif"),
        ("phone.HEIF", b"", "HEIC", "heif"),
        ("export.data", HEIC, "HEIC", "heif"),
        ("slice.dcm", DICOM, "DICOM", "dicom"),
        ("slice", DICOM, "DICOM", "dicom"),
    ],
)
def test_an_image_whose_extra_is_missing_is_left_out_with_the_command(
    photos, tmp_path, monkeypatch, name, content, kind, extra
):
    formats = tuple(each for each in readable_formats() if each.extra is None)
    monkeypatch.setattr(inputs, "readable_formats", lambda: formats)
    monkeypatch.setattr(inputs, "readable_suffixes", readable_suffixes.__wrapped__)
    path = photos.folder / name
    path.write_bytes(content)
    for given in (photos.folder, path):
        report = predicted(tmp_path, given)
        command = f'pip install "pixelwise[{extra}]"'
        assert report.left_out == [f"{path}: images in {kind} are read with an extra: {command}."]
        assert not report.complete


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("GIF", ".gif"), ("WEBP", ".webp"), ("BMP", ".bmp"), ("TIFF", ".tif")],
)
def test_an_image_under_another_name_is_left_out_of_a_folder_and_predicted_by_name(photos, tmp_path, kind, ending):
    path = photos("frame.0001", kind=kind)
    (left_out,) = predicted(tmp_path, photos.folder).left_out
    assert left_out.startswith(f"{path}: is ")
    assert f"Rename it to end in {ending}" in left_out
    report = predicted(tmp_path, path)
    assert (report.complete, len(report.written)) == (True, 1)


def test_other_files_are_passed_over_in_silence_and_counted(photos, tmp_path):
    for name in ("notes.txt", "a.json", ".DS_Store", "._a.jpg", ".thumbs/b.jpg", "empty", "a.ovr"):
        (photos.folder / name).parent.mkdir(exist_ok=True)
        (photos.folder / name).write_bytes(b"II*\0" if name == "a.ovr" else b"" if name == "empty" else b"words")
    report = predicted(tmp_path, photos.folder)
    assert report.complete
    assert report.text().splitlines()[0].startswith("1 mask written")
    assert len(report.text().splitlines()) == 2
    assert report.to_json() == {
        "written": [str(tmp_path / "masks" / "a.png")], "failed": [], "left_out": [], "passed_over": 7, "notes": [],
    }  # fmt: skip
    assert predicted(tmp_path, photos.folder, photos.folder / "*").passed_over == 7


def test_a_folder_without_anything_like_an_image_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("words")
    for given in (tmp_path, tmp_path / "*.txt", tmp_path / "*.jpg"):
        with pytest.raises(DataError, match=r"\.gif, .*\.jpg"):
            find_images([str(given)])


def test_a_decoder_that_this_machine_lacks_makes_its_images_left_out(photos, tmp_path, monkeypatch):
    (photos.folder / "b.avif").write_bytes(b"\0\0\0\x1cftypavif" + bytes(20))
    monkeypatch.setattr(features, "check_module", lambda name: name == "webp")
    monkeypatch.setattr(inputs, "readable_formats", readable_formats.__wrapped__)
    monkeypatch.setattr(inputs, "readable_suffixes", readable_suffixes.__wrapped__)
    assert ".avif" not in inputs.readable_suffixes()
    assert ".webp" in inputs.readable_suffixes()
    assert "images in AVIF are not read" in predicted(tmp_path, photos.folder).left_out[0]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_of_several_frames_the_first_is_used_and_this_is_said(photos, tmp_path, suffix):
    frames = [Image.new("RGB", (8, 6), (20 * i, 0, 0)) for i in range(1, 12)]
    path = photos(f"b{suffix}", save_all=True, append_images=frames)
    report = predicted(tmp_path, photos.folder)
    assert report.complete
    assert report.notes == [f"{path}: the first of 12 frames was used"]
    assert report.notes[0] in report.text()
    assert json.loads(json.dumps(report.to_json()))["notes"] == report.notes


def test_smaller_versions_and_masks_in_a_tiff_are_no_frames(tmp_path):
    path = tmp_path / "b.tif"
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as file:
        for subfile_type in (0, 1, 4, 2):  # TIFF 6.0, NewSubfileType: an image, a smaller version, a mask, a page
            Image.new("RGB", (4, 3)).save(file, "TIFF", tiffinfo={254: subfile_type})
            file.newFrame()
    with Image.open(path) as opened:
        assert opened.n_frames == 4
    assert count_frames(path) == 2


def test_a_single_image_and_a_photograph_with_a_preview_have_one_frame(photos):
    assert count_frames(photos("b.png")) == 1
    assert count_frames(photos("b.jpg", kind="MPO", save_all=True, append_images=[Image.new("RGB", (4, 3))])) == 1


def test_damage_behind_the_first_frame_loses_nothing(photos, tmp_path):
    path = photos("b.tif")
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    content[first + 2 + 12 * entries : first + 6 + 12 * entries] = (10**6).to_bytes(4, "little")  # beyond the end
    path.write_bytes(content)
    report = predicted(tmp_path, path)
    assert (report.complete, len(report.written)) == (True, 1)


def array(path, values):
    np.save(path, values)
    return path


def test_arrays_are_predicted_by_their_shape_and_what_predict_wrote_is_not(photos, tmp_path):
    five = Bands("uint16", 5, (1, 2, 3, 4, 5), ((0.0, 4095.0),) * 5, is_color=False)
    image = array(photos.folder / "scene.npy", np.zeros((20, 30, 5), np.uint16))
    (photos.folder / "a.jpg").unlink()
    for name, values in (
        ("b_probabilities.npy", np.zeros((3, 20, 30), np.float16)),
        ("ids.npy", np.arange(9)),
        ("names.npy", np.array(["a", "b"])),
        ("batch.npy", np.zeros((4, 20, 30, 3))),
        ("empty.npy", np.zeros((0, 3))),
    ):
        array(photos.folder / name, values)
    (photos.folder / "broken.npy").write_bytes(b"\x93NUMPY\1\0")
    for given in (photos.folder, photos.folder / "*.npy", photos.folder / "*"):
        report = predict_files(Zeros(five), [str(given)], tmp_path / "masks", overlays=None, probabilities=False)
        assert report.complete
        assert report.written == [tmp_path / "masks" / "scene.png"]
        assert report.passed_over == 6
    report = predict_files(
        Zeros(five), [str(image)], tmp_path / "masks", overlays=Display.of(five), probabilities=False
    )
    with Image.open(tmp_path / "masks" / "scene_overlay.png") as drawn:
        assert drawn.size == (30, 20)


def test_an_array_beside_a_picture_of_its_name_is_something_else(photos, tmp_path):
    array(photos.folder / "a.npy", np.zeros((20, 30), np.uint8))
    report = predicted(tmp_path, photos.folder)
    assert (report.written, report.passed_over) == ([tmp_path / "masks" / "a.png"], 1)
    with Image.open(report.written[0]) as mask:
        assert mask.size == (8, 6)


def test_images_that_do_not_fit_the_model_are_named_in_the_words_of_predict(photos, tmp_path):
    path = photos.folder / "deep.tif"
    tifffile.imwrite(path, np.zeros((4, 5, 6), np.uint16), photometric="minisblack", planarconfig="contig")
    broken = photos.folder / "broken.png"
    broken.write_bytes(b"<html>no such file</html>")
    report = predicted(tmp_path, photos.folder)
    formats = "JPEG, PNG, WebP, BMP, TIFF, GIF, JPEG 2000, AVIF, HEIC, DICOM, NumPy and 8 more"
    assert report.failed == [
        f"{broken}: is not an image but an HTML page, as a server sends it in place of a file. Expected a complete "
        f"image ({formats}). Leave it out or replace it.",
        f"{path}: has 6 bands of uint16. Expected 3 bands of uint8, as the model takes them. Leave it out or replace "
        "it.",
    ]
    assert not report.complete
    assert len(report.written) == 1


def test_what_is_lost_of_16_bits_is_said_in_numbers(photos, tmp_path):
    # 0 to 9 of 255 once they are divided by 257
    values = (np.arange(10, dtype=np.uint16) * 257).reshape(2, 5)
    path = photos.folder / "micro.tif"
    tifffile.imwrite(path, values)
    report = predicted(tmp_path, photos.folder)
    assert report.notes == [f"{path}: 16 bits a channel were reduced to 8: 10 of 256 levels are left"]
    assert report.complete


def test_pages_of_deep_files_are_counted(photos, tmp_path):
    path = photos.folder / "stack.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(np.full((4, 5), 65535, np.uint16), metadata=None)
    assert predicted(tmp_path, path).notes[0] == f"{path}: the first of 3 frames was used"
