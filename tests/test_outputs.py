import os
import shutil
from pathlib import Path

import pytest

from pixelwise.errors import SettingsError, Unwritable
from pixelwise.outputs import made_folder, whole, write_text


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with whole(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail():
        with whole(path) as temporary:
            temporary.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_what_cannot_be_written_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"), whole(tmp_path / "file" / "below.txt"):
        pass
    with pytest.raises(SettingsError, match=r"file: cannot be written \(File exists\)"):
        made_folder(tmp_path / "file")
    with pytest.raises(Unwritable, match=r"index\.html: cannot be written .* give another output"):
        write_text(tmp_path / "file" / "index.html", "content")


def test_a_text_is_written_whole_and_nothing_beside_it(tmp_path):
    for text in ("first", "second"):
        write_text(tmp_path / "new" / "page.html", text)
    assert [(path.name, path.read_text()) for path in (tmp_path / "new").iterdir()] == [("page.html", "second")]


def test_file_names_that_are_no_text_can_be_written(tmp_path):
    write_text(tmp_path / "page.html", "bad \udcff name")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "bad \\udcff name"


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "file.txt", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append((os.fstat(descriptor).st_size, path.exists())))
    write_text(path, "content")
    assert synced == [(7, False)]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritable, match=r"file\.txt: cannot be written \(No space left on device\)"):
        write_text(tmp_path / "file.txt", "content")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_cannot_be_read_is_not_said_to_be_the_output(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), whole(tmp_path / "copy") as temporary:
        shutil.copyfile(tmp_path / "missing", temporary)
    assert list(tmp_path.iterdir()) == []


ROOT = Path(__file__).resolve().parents[1] / "src" / "pixelwise"

# A bundle is a folder of two files that changes as one.
OWN_WAY = {"outputs.py", "bundle/__init__.py"}


def test_no_other_piece_gives_a_file_its_name():
    text = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
    own = {name for name, code in text.items() if "os.replace(" in code or "fsync(" in code or '.tmp"' in code}
    assert own - {"sagemaker/container/job.py"} == OWN_WAY  # which leaves such files out of what it copies
