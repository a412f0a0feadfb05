"""A corpus of planted faults: every one is found, by its own code, in a dataset that is clean otherwise."""

import json
import shutil
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.findings import CODES
from pixelwise.data.synthetic.dataset import draw_dataset
from pixelwise.settings import Settings
from tests.conftest import REAL_DATA

SIZE = (96, 72)
DATA = REAL_DATA
PLANTED = []


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    root = tmp_path_factory.mktemp("clean")
    draw_dataset(root, num_train=6, num_validation=4, num_test=0, size=SIZE, seed=1)
    return root


def check(root, **options):
    return check_dataset(open_dataset(root), **options)


def found(report):
    return {(finding.code, finding.file.name) for finding in report.findings}


def plants(code, file, **options):
    """A function that plants a fault: which code is to be found, for which file."""

    def keep(plant):
        PLANTED.append(pytest.param(plant, code, file, options, id=plant.__name__.strip("_")))
        return plant

    return keep


@pytest.mark.parametrize(("plant", "code", "file", "options"), PLANTED)
def test_a_planted_fault_is_found_by_its_code(clean, tmp_path, plant, code, file, options):
    root = tmp_path / "dataset"
    shutil.copytree(clean, root)
    before = found(check(root, **{name: value for name, value in options.items() if name != "num_classes"}))
    plant(root)
    report = check(root, **options)
    new = found(report) - before
    assert (code, file) in new
    # No other fault is reported beside it; consequences that are warnings or facts may be.
    assert {each for each in new if CODES[each[0]].severity == "fault"} <= {(code, file)}
    for finding in report.findings:
        assert finding.found
        assert finding.expected
        assert finding.remedy.endswith(".")


def test_the_corpus_plants_every_code_and_forty_faults_at_least():
    codes = {parameters.values[1] for parameters in PLANTED}
    assert codes == set(CODES)
    assert len(PLANTED) >= 40


def test_the_dataset_is_clean_before(clean):
    assert check(clean).faults == ()


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize("name", ["camvid", "clothing", "digital-rock"])
def test_real_clean_datasets_have_no_fault(name):
    assert check(DATA / name).faults == ()


def files(root, folder):
    return sorted((root / folder).iterdir())


def first(root, folder):
    return files(root, folder)[0]


def ids(path):
    return np.array(Image.open(path))


def save_ids(class_ids, path):
    Image.fromarray(np.asarray(class_ids, dtype=np.uint8)).save(path)


def change_masks(root, change):
    for folder in ("train_annotation", "validation_annotation"):
        for path in files(root, folder):
            save_ids(change(ids(path)), path)


# ---- folders and names


@plants("empty-channel", "validation")
def _no_images(root):
    for path in files(root, "validation"):
        path.unlink()


@plants("empty-channel", "train_annotation")
def _no_masks(root):
    for path in files(root, "train_annotation"):
        path.unlink()


@plants("image-without-mask", "scene_0000.jpg")
def _lost_mask(root):
    first(root, "train_annotation").unlink()


@plants("mask-without-image", "scene_0000.png")
def _lost_image(root):
    first(root, "train").unlink()


@plants("duplicate-stem", "scene_0000.png")
def _two_images_of_one_stem(root):
    Image.open(first(root, "train")).save(root / "train" / "scene_0000.png")


@plants("duplicate-stem", "scene_0000.tif")
def _two_masks_of_one_stem(root):
    Image.open(first(root, "train_annotation")).save(root / "train_annotation" / "scene_0000.tif")


@plants("name-case", "scene_0001.jpg")
def _names_that_differ_in_case(root):
    for folder, suffix in (("train", "jpg"), ("train_annotation", "png")):
        (root / folder / f"scene_0000.{suffix}").rename(root / folder / f"Scene_0001.{suffix}")


@plants("nested-annotations", "train_annotation")
def _a_prefix_copy(root):
    shutil.copytree(root / "train_annotation", root / "train" / "train_annotation")


@plants("stray-file", "photo.psd")
def _a_stray_file(root):
    (root / "train" / "photo.psd").write_bytes(b"heic")


@plants("stray-file", "Thumbs.db")
def _a_file_of_windows(root):
    (root / "train_annotation" / "Thumbs.db").write_bytes(b"x")


@plants("link-outside", "train")
def _a_link_out_of_the_dataset(root):
    path = first(root, "train")
    outside = root.parent / "elsewhere.jpg"
    shutil.move(path, outside)
    path.symlink_to(outside)


@plants("link-broken", "lost.jpg")
def _a_link_to_nothing(root):
    (root / "train" / "lost.jpg").symlink_to(root / "nowhere.jpg")


@plants("classes-file", "classes.json")
def _classes_that_are_no_json(root):
    (root / "classes.json").write_text("{sky: 0}")


@plants("classes-file", "classes.json")
def _classes_with_a_gap(root):
    (root / "classes.json").write_text('{"0": "a", "1": "b", "2": "c", "3": "d", "5": "e"}')


@plants("classes-differ", "classes.txt")
def _two_lists_of_classes(root):
    (root / "classes.txt").write_text("one\ntwo\n")


@plants("classes-file", "classes.json", num_classes=6)
def _classes_of_another_number(root):
    del root


@plants("manifest", "train.manifest")
def _a_manifest_that_leads_nowhere(root):
    lines = [
        {"source-ref": f"train/{path.name}", "scene-ref": f"train_annotation/{path.stem}.png"}
        for path in files(root, "train")
    ]
    lines[2]["source-ref"] = "s3://bucket/train/lost.jpg"
    (root / "train").rename(root / "pictures")
    (root / "train_annotation").rename(root / "masks")
    text = "\n".join(map(json.dumps, lines))
    (root / "train.manifest").write_text(text.replace("train/", "pictures/").replace("train_annotation", "masks"))


# ---- any file


@plants("empty-file", "scene_0000.jpg")
def _an_empty_image(root):
    first(root, "train").write_bytes(b"")


@plants("empty-file", "scene_0000.png")
def _an_empty_mask(root):
    first(root, "validation_annotation").write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@plants("truncated-file", "scene_0000.jpg")
def _a_cut_image(root):
    cut(first(root, "train"))


@plants("truncated-file", "scene_0000.png")
def _a_cut_mask(root):
    cut(first(root, "train_annotation"))


@plants("unreadable-file", "scene_0000.jpg")
def _a_text_as_image(root):
    first(root, "train").write_text("not a picture")


@plants("unreadable-file", "scene_0000.png")
def _a_web_page_as_mask(root):
    first(root, "train_annotation").write_text("<html>404</html>")


@plants("decompression-bomb", "scene_0000.jpg")
def _a_bomb(root):
    first(root, "train").write_bytes(png(40_000, 40_000, bits=8, kind=0, rows=b""))


def png(width, height, *, bits, kind, rows):
    """A PNG by its specification, for what Pillow does not write."""

    def chunk(name, content):
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# ---- images


def as_png(root, change):
    """Replace the first training image by a PNG of another kind."""
    path = first(root, "train")
    image = Image.open(path).convert("RGB")
    path.unlink()
    return change(image), path.with_suffix(".png")


@plants("image-cmyk", "scene_0000.jpg")
def _a_print_image(root):
    path = first(root, "train")
    Image.open(path).convert("CMYK").save(path)


@plants("image-alpha", "scene_0000.png")
def _a_transparent_image(root):
    image, path = as_png(root, lambda image: image.convert("RGBA"))
    image.putalpha(128)
    image.save(path)


@plants("image-alpha", "scene_0000.png")
def _a_palette_image_with_a_transparent_colour(root):
    image, path = as_png(root, lambda image: image.quantize(16))
    image.save(path, transparency=3)


@plants("image-animated", "scene_0000.webp")
def _an_animation(root):
    image, path = as_png(root, lambda image: image)
    image.save(path.with_suffix(".webp"), save_all=True, append_images=[image.rotate(180)])


@plants("image-animated", "scene_0000.tif")
def _a_tiff_of_several_pages(root):
    image, path = as_png(root, lambda image: image)
    image.save(path.with_suffix(".tif"), save_all=True, append_images=[image.rotate(180)])


@plants("image-16-bit", "scene_0000.png")
def _a_gray_image_of_16_bits(root):
    image, path = as_png(root, lambda image: image.convert("L"))
    Image.fromarray(np.asarray(image, dtype=np.uint16) * 257).save(path)


@plants("image-16-bit", "scene_0000.png")
def _a_colour_image_of_16_bits(root):
    image, path = as_png(root, lambda image: image)
    values = np.asarray(image, dtype=">u2") * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    path.write_bytes(png(*image.size, bits=16, kind=2, rows=rows))


def as_tiff(path, change, **options):
    """Replace an image by a TIFF of what `change` makes of its pixels."""
    tifffile.imwrite(path.with_suffix(".tif"), change(np.asarray(Image.open(path).convert("RGB"))), **options)
    path.unlink()


@plants("image-depth", "scene_0000.tif")
def _reflectances_among_photographs(root):
    as_tiff(first(root, "train"), lambda pixels: pixels.astype(np.float32) / 255, photometric="rgb")


@plants("image-bands", "scene_0000.tif")
def _near_infrared_beside_the_colours_of_one_image(root):
    nir = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    as_tiff(first(root, "train"), lambda pixels: np.dstack([pixels, pixels[:, :, :1]]), **nir)


@plants("image-not-finite", "scene_0000.tif")
def _no_data_in_reflectances(root):
    for path in (*files(root, "train"), *files(root, "validation")):
        as_tiff(path, lambda pixels: pixels.astype(np.float32) / 255, photometric="rgb")
    pixels = tifffile.imread(first(root, "train"))
    pixels[:20] = np.nan
    tifffile.imwrite(first(root, "train"), pixels, photometric="rgb")


@plants("value-range", "train", meant=Settings(value_range=(0.0, 255.0)))
def _deep_images_under_the_range_of_photographs(root):
    for path in (*files(root, "train"), *files(root, "validation")):
        as_tiff(path, lambda pixels: pixels.astype(np.uint16) * 257, photometric="rgb")


@plants("image-small", "scene_0000.jpg", crop_size=96)
def _a_small_image(root):
    for folder in ("train", "train_annotation"):
        path = first(root, folder)
        Image.open(path).resize((32, 24), Image.Resampling.NEAREST).save(path)


# ---- image and mask


@plants("size-exif", "scene_0000.png")
def _a_photograph_on_its_side(root):
    path = first(root, "train")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(path).save(path, exif=turned)


@plants("size-rotated", "scene_0000.png")
def _a_turned_mask(root):
    path = first(root, "train_annotation")
    save_ids(np.rot90(ids(path)), path)


@plants("size-scaled", "scene_0000.png")
def _a_mask_of_half_the_size(root):
    path = first(root, "train_annotation")
    save_ids(ids(path)[::2, ::2], path)


@plants("size-mismatch", "scene_0000.png")
def _a_mask_off_by_one(root):
    path = first(root, "train_annotation")
    save_ids(ids(path)[:-1, :-1], path)


@plants("size-mismatch", "scene_0000.png")
def _a_mask_of_another_picture(root):
    path = first(root, "train_annotation")
    save_ids(ids(path)[:40, :40], path)


# ---- masks


def coloured(class_ids):
    colors = np.array([[0, 0, 0], [200, 30, 30], [30, 200, 30], [30, 30, 200], [220, 220, 30]], dtype=np.uint8)
    return Image.fromarray(colors[class_ids])


@plants("mask-colors", "scene_0000.png")
def _a_mask_of_colours(root):
    path = first(root, "train_annotation")
    coloured(ids(path)).save(path)


@plants("mask-colors", "scene_0000.png")
def _a_mask_of_colours_with_alpha(root):
    path = first(root, "train_annotation")
    coloured(ids(path)).convert("RGBA").save(path)


@plants("mask-rgb", "scene_0000.png")
def _a_smoothed_mask_of_colours(root):
    path = first(root, "train_annotation")
    image = coloured(ids(path))
    image.resize((50, 40), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC).save(path)


@plants("mask-lossy", "scene_0000.jpg")
def _a_mask_as_jpeg(root):
    path = first(root, "train_annotation")
    Image.fromarray(ids(path) * 40).save(path.with_suffix(".jpg"))
    path.unlink()


@plants("mask-lossy", "scene_0000.webp")
def _a_mask_as_webp(root):
    path = first(root, "train_annotation")
    coloured(ids(path)).save(path.with_suffix(".webp"))
    path.unlink()


@plants("mask-smoothed", "scene_0000.png")
def _a_mask_enlarged_with_smoothing(root):
    path = first(root, "train_annotation")
    values = Image.fromarray(ids(path) * 50)
    values.resize((48, 36), Image.Resampling.BILINEAR).resize(values.size, Image.Resampling.BILINEAR).save(path)


@plants("mask-smoothed", "scene_0000.png")
def _a_mask_that_was_a_jpeg(root):
    path = first(root, "train_annotation")
    Image.fromarray(ids(path) * 50).save(root / "lossy.jpg", quality=70)
    save_ids(ids(root / "lossy.jpg"), path)


@pytest.mark.parametrize("suffix", ["gif", "tif", "bmp"])
def test_masks_of_other_formats_are_found(clean, tmp_path, suffix):
    root = tmp_path / "dataset"
    shutil.copytree(clean, root)
    path = first(root, "train_annotation")
    Image.fromarray(ids(path)).save(path.with_suffix(f".{suffix}"))
    path.unlink()
    assert [finding.code for finding in check(root).faults] == ["mask-format"]


@plants("mask-format", "scene_0000.gif")
def _a_mask_as_gif(root):
    path = first(root, "train_annotation")
    Image.fromarray(ids(path)).save(path.with_suffix(".gif"))
    path.unlink()


@plants("mask-16-bit", "scene_0000.png")
def _a_mask_of_16_bits(root):
    path = first(root, "train_annotation")
    Image.fromarray(ids(path).astype(np.uint16) * 1000).save(path)


@plants("mask-1-bit", "scene_0000.png")
def _a_mask_of_1_bit(root):
    path = first(root, "train_annotation")
    Image.fromarray(ids(path) > 1).save(path)


@plants("mask-0-255", "train_annotation", num_classes=None)
def _objects_drawn_as_255(root):
    (root / "classes.json").unlink()
    for path in files(root, "train_annotation"):
        save_ids((ids(path) == 2) * 255, path)
    for path in files(root, "validation_annotation"):
        save_ids(ids(path) == 2, path)


@plants("mask-palettes", "train_annotation")
def _palettes_of_each_file(root):
    # As an export to GIF and back leaves them: each file counts its colours anew.
    for path, (first_color, second) in zip(
        files(root, "train_annotation")[:2], (((9, 0, 0), (0, 9, 0)), ((0, 9, 0), (9, 0, 0))), strict=True
    ):
        mask = Image.fromarray((ids(path) == 1).astype(np.uint8))
        mask.putpalette([*first_color, *second])
        mask.save(path)


@plants("mask-spread-gray", "train_annotation", num_classes=None)
def _classes_drawn_as_grays(root):
    (root / "classes.json").unlink()
    for path in files(root, "train_annotation"):
        save_ids(ids(path).clip(0, 3) * 85, path)
    for path in files(root, "validation_annotation"):
        save_ids(np.where(ids(path) == 255, 0, ids(path).clip(0, 1)), path)


@plants("id-out-of-range", "scene_0000.png")
def _an_id_out_of_range(root):
    path = first(root, "train_annotation")
    class_ids = ids(path)
    class_ids[10:13, 20:24] = 77
    save_ids(class_ids, path)


def test_an_id_out_of_range_has_its_count_and_its_place(clean, tmp_path):
    root = tmp_path / "dataset"
    shutil.copytree(clean, root)
    _an_id_out_of_range(root)
    (fault,) = check(root).faults
    assert "77 (12 px)" in fault.found
    assert fault.place == (20, 10, 24, 13)


@plants("ids-with-gaps", "train_annotation")
def _ids_with_gaps(root):
    (root / "classes.json").unlink()
    change_masks(root, lambda class_ids: class_ids * 3)


@plants("values-ignored", "train_annotation")
def _values_that_the_label_map_leaves_out(root):
    (root / "train_label_map.json").write_text('{"map": {"0": 0, "1": 1, "2": 2, "3": 3}}')


@plants("nothing-labelled", "train_annotation")
def _no_label_at_all(root):
    for path in files(root, "train_annotation"):
        save_ids(np.full_like(ids(path), 255), path)


@plants("nothing-labelled", "validation_annotation")
def _no_label_in_validation(root):
    for path in files(root, "validation_annotation"):
        save_ids(np.full_like(ids(path), 255), path)


@plants("one-class", "train_annotation")
def _nothing_but_background(root):
    for path in files(root, "train_annotation"):
        save_ids(np.zeros_like(ids(path)), path)


@plants("mask-mostly-ignored", "scene_0000.png")
def _a_mask_that_is_mostly_ignored(root):
    path = first(root, "train_annotation")
    class_ids = ids(path)
    class_ids[:50] = 255
    save_ids(class_ids, path)


@plants("mask-one-class", "scene_0000.png")
def _a_mask_of_one_class(root):
    path = first(root, "train_annotation")
    save_ids(np.full_like(ids(path), 2), path)


# ---- classes


@plants("class-absent", "train_annotation")
def _a_class_that_no_mask_has(root):
    names = json.loads((root / "classes.json").read_text())
    names.append({"id": len(names), "name": "tram"})
    (root / "classes.json").write_text(json.dumps(names))


@plants("class-only-in-validation", "train_annotation")
def _a_class_of_validation_alone(root):
    for path in files(root, "train_annotation"):
        class_ids = ids(path)
        class_ids[class_ids == 2] = 0
        save_ids(class_ids, path)


@plants("class-imbalance", "train_annotation")
def _a_rare_class(root):
    for path in files(root, "train_annotation"):
        class_ids = ids(path)
        class_ids[class_ids == 2] = 0
        class_ids[0, :2] = 2
        save_ids(class_ids, path)


# ---- pictures in two splits


def copy_pair(root, name, change):
    """Put the first training pair into validation as `name`, its image changed."""
    change(Image.open(first(root, "train"))).save(root / "validation" / f"{name}.png")
    shutil.copy(first(root, "train_annotation"), root / "validation_annotation" / f"{name}.png")


@plants("duplicate-across-splits", "copy.jpg")
def _a_picture_in_two_splits(root):
    shutil.copy(first(root, "train"), root / "validation" / "copy.jpg")
    shutil.copy(first(root, "train_annotation"), root / "validation_annotation" / "copy.png")


@plants("near-duplicate-across-splits", "copy.png")
def _nearly_the_same_picture_in_two_splits(root):
    copy_pair(root, "copy", lambda image: image.point([min(255, value + 6) for value in range(256)] * 3))


@plants("video-neighbours", "validation")
def _neighbours_in_a_video(root):
    for folder, suffix in (("train", "jpg"), ("train_annotation", "png")):
        first(root, folder).rename(root / folder / f"drive_000100.{suffix}")
    for folder in ("train", "train_annotation"):
        path = next((root / folder).glob("drive_*"))
        path.rename(path.with_stem("a_drive_000100"))
    copy_pair(root, "a_drive_000103", lambda image: image.point([min(255, value + 6) for value in range(256)] * 3))
