"""From items to a dataset folder: complete or out of sight, and the same bytes after any interruption."""

import io
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Conversion, Format, Item, Options
from pixelwise.data.convert.menu import FORMATS
from pixelwise.data.convert.writing import convert as writing
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError, Interrupted, SettingsError
from pixelwise.labels import LabelTable

LABELS = LabelTable.named(["ground", "square"], {0: (1, 2, 3)}, sources={0: [7], 1: [8]}, ignored=[0])


def picture(seed: int, size=(12, 10), kind="JPEG", **options) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, kind, **options)
    return encoded.getvalue()


def ids(name: str) -> np.ndarray:
    """(10, 12) halves of class 0 and 1 with an ignored corner, one pixel of which depends on the name."""
    class_ids = np.repeat([0, 1], 6)[None].repeat(10, axis=0).astype(np.uint8)
    class_ids[9, sum(name.encode()) % 12] = 255
    return class_ids


@pytest.fixture
def source(tmp_path) -> Path:
    for i in range(10):
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / f"{i}.jpg").write_bytes(picture(i))
    return tmp_path / "source"


def read_all(source, options, *, split=None, change=lambda name, class_ids: class_ids) -> Conversion:
    items = [
        Item(Path(name).stem, name, split, lambda name=name: change(name, ids(name)))
        for name in source.names
    ]  # fmt: skip
    return Conversion(LABELS, items, ("As it is.",))


@pytest.fixture
def run(monkeypatch, source, tmp_path):
    """Convert `source` by a reader made of `read_all`: run("name of the output", change=...)."""

    def call(output: str, *, place=source, **keywords):
        settings = {key: keywords.pop(key) for key in ("progress", "seed", "validation_share") if key in keywords}
        monkeypatch.setitem(FORMATS, "fake", Format(partial(read_all, **keywords), "for tests"))
        return convert("fake", place, tmp_path / output, options=Options(), **settings)

    return call


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_conversion_is_a_dataset_without_faults(run, source, tmp_path):
    report = run("out")
    assert report.images == {"train": 8, "validation": 2}
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]
    files = tree(tmp_path / "out")
    assert len(files) == 22
    image = next(name for name in files if name.startswith("train/"))
    assert files[image] == (source / Path(image).name).read_bytes()
    mask = Image.open(io.BytesIO(files[image.replace("train/", "train_annotation/").replace(".jpg", ".png")]))
    assert mask.mode == "L"
    assert np.array_equal(np.asarray(mask), ids(Path(image).name))


def test_class_names_and_an_account_are_written(run, tmp_path):
    report = run("out")
    assert LabelTable.read(tmp_path / "out" / "classes.json") == LABELS
    account = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert account == report.to_json()
    assert account["source"] == "source"
    assert account["settings"] == {"validation_share": 0.2, "seed": 0}
    assert account["notes"][0] == "As it is."
    assert str(tmp_path) not in json.dumps(account)
    assert "8 train, 2 validation images; 2 classes." in report.text()


def test_items_that_cannot_be_converted_are_left_out_and_reported(run, source, tmp_path):
    (source / "1.jpg").write_bytes(picture(1)[:-300])
    (source / "2.jpg").write_bytes(picture(2, size=(10, 12)))

    def change(name, class_ids):
        if name == "3.jpg":
            raise DataError("3.xml: has no objects.")
        return class_ids + 5 * (name == "4.jpg") * (class_ids == 1)

    report = run("out", change=change)
    assert {finding.file.as_posix(): finding.code for finding in report.left_out} == {
        "1.jpg": "truncated-file",
        "2.jpg": "size-mismatch",
        "3.jpg": "unreadable-file",
        "4.jpg": "id-out-of-range",
    }
    assert sum(report.images.values()) == 6
    assert "left out: 2.jpg: is 10 x 12 px but its mask is 12 x 10 px." in report.text()


def test_the_mask_fits_the_upright_image(run, source, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (source / "1.jpg").write_bytes(picture(1, size=(10, 12), exif=exif))
    assert not run("out").left_out


def test_types_that_a_dataset_lacks_become_png_and_suffixes_tell_the_truth(run, source, tmp_path):
    (source / "1.gif").write_bytes(picture(1, kind="GIF"))
    (source / "1.jpg").unlink()
    (source / "2.jpg").write_bytes(picture(2, kind="PNG"))
    (source / "3.JPG").write_bytes((source / "3.jpg").read_bytes())
    (source / "3.jpg").unlink()
    pages = [Image.new("RGB", (12, 10), color) for color in ("red", "blue")]
    pages[0].save(source / "4.tif", save_all=True, append_images=pages[1:])
    (source / "4.jpg").unlink()
    run("out", split="train")
    files = {Path(name).name: content for name, content in tree(tmp_path / "out").items() if "_annotation" not in name}
    assert {"1.png", "2.png", "3.jpg", "4.png"} <= files.keys()
    assert files["2.png"] == (source / "2.jpg").read_bytes()
    assert Image.open(io.BytesIO(files["1.png"])).mode == "RGB"
    assert Image.open(io.BytesIO(files["4.png"])).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("after", [0, 1, 5, 9])
def test_an_error_in_the_middle_and_a_rerun_give_the_bytes_of_one_run(run, tmp_path, after):
    def stop(name, class_ids):
        if name == f"{after}.jpg":
            raise RuntimeError("power cut")
        return class_ids

    run("whole")
    with pytest.raises(RuntimeError, match="power cut"):
        run("parts", change=stop)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [".conversion"]
    calls = []
    run("parts", change=lambda name, class_ids: [class_ids, calls.append(name)][0])
    assert sorted(calls) == [f"{i}.jpg" for i in range(after, 10)]
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_a_kill_and_a_torn_journal_are_continued(run, source, tmp_path):
    script = f"""
import os, signal, sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_writing import FORMATS, Format, Options, convert, read_all
def kill(name, class_ids):
    if name == "6.jpg":
        os.kill(os.getpid(), signal.SIGKILL)
    return class_ids
FORMATS["fake"] = Format(partial(read_all, change=kill), "for tests")
convert("fake", Path({str(source)!r}), Path({str(tmp_path / "parts")!r}), options=Options())
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    journal = tmp_path / "parts" / ".conversion" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"item": "undivided/9", "suf')
    run("parts")
    run("whole")
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_an_interruption_while_files_are_moved_is_continued(run, tmp_path, monkeypatch):
    moved = []

    def publish(place, *arguments, **keywords):
        if len(moved) == 4:
            raise RuntimeError("power cut")
        moved.append(place)
        original(place, *arguments, **keywords)

    original = writing._publish
    monkeypatch.setattr(writing, "_publish", publish)
    with pytest.raises(RuntimeError, match="power cut"):
        run("parts")
    monkeypatch.setattr(writing, "_publish", original)
    run("parts")
    run("whole")
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_control_c_is_an_interruption_that_says_how_to_go_on(run, tmp_path):
    def stop(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="3 of 10 images done"):
        run("out", progress=stop)
    assert sum(run("out").images.values()) == 10


def test_an_interrupted_conversion_of_something_else_is_not_continued(run, tmp_path):
    def stop(name, class_ids):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run("out", change=stop)
    with pytest.raises(DataError, match="holds an interrupted conversion of another source, or with other options"):
        run("out", seed=1)


def test_a_folder_with_something_in_it_is_refused(run, source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"is not empty \(notes.txt\)"):
        run("out")
    run("done")
    with pytest.raises(DataError, match="is converted already"):
        run("done")
    with pytest.raises(DataError, match="lies in the source"):
        run("source/out")


def test_the_source_is_not_touched(run, source):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.rglob("*")}
    run("out")
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.rglob("*")}


def test_names_of_the_source_cannot_lead_out(run, tmp_path, monkeypatch):
    def read(source, options):
        names = ["../evil", "/evil", "a/../../evil", ".hidden", "x_annotation/a", "b", "b"]
        items = [Item(name, f"{i}.jpg", None, lambda: ids("")) for i, name in enumerate(names)]
        return Conversion(LABELS, items)

    monkeypatch.setitem(FORMATS, "evil", Format(read, "for tests"))
    report = convert("evil", tmp_path / "source", tmp_path / "out", options=Options())
    assert [finding.code for finding in report.left_out] == ["unreadable-file"] * 3 + ["duplicate-stem"]
    names = {name.split("/", 1)[1] for name in tree(tmp_path / "out") if ".jpg" in name}
    assert names == {"hidden.jpg", "x_annotations/a.jpg", "b.jpg"}
    assert not list(tmp_path.glob("evil*"))
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]


def test_nothing_convertible_leaves_nothing_behind(run, tmp_path):
    def fail(name, class_ids):
        raise DataError(f"{name}: is damaged.")

    with pytest.raises(DataError, match=r"0 convertible images .* 10 were left out, the first: .*0\.jpg"):
        run("out", change=fail)
    assert not (tmp_path / "out").exists()


def test_wrong_settings_are_refused_before_anything_is_written(run, source, tmp_path, monkeypatch):
    with pytest.raises(SettingsError, match="Unknown format 'vox'"):
        convert("vox", source, tmp_path / "out", options=Options())
    with pytest.raises(SettingsError, match="'voc' has no use for masks, which is for coco, color-masks, "):
        convert("voc", source, tmp_path / "out", options=Options(masks="{name}.png"))
    monkeypatch.setitem(FORMATS, "fake", Format(read_all, "for tests"))
    with pytest.raises(SettingsError, match=r"num_classes is 3, but .*source has 2 classes"):
        convert("fake", source, tmp_path / "out", options=Options(num_classes=3))
    with pytest.raises(SettingsError, match="validation_share is 1"):
        run("out", validation_share=1)
    assert not (tmp_path / "out").exists()
