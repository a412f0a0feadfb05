"""Folders and archives as names and bytes: equal for every kind, and nothing escapes."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from pixelwise.data.convert import source as source_module
from pixelwise.data.convert.source import open_source
from pixelwise.data.findings import FileFault
from pixelwise.errors import DataError

FILES = {"a/b.txt": b"two", "a.txt": b"one", "list.json": b'\xef\xbb\xbf{"k": [1]}'}
HIDDEN = {".DS_Store": b"x", "a/.hidden/c": b"x", "__MACOSX/a/._b.txt": b"x"}


def as_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes(content)
    return folder / "source"


def as_zip(folder: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "source.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return folder / "source.zip"


def as_tar(folder: Path, files: dict[str, bytes | tarfile.TarInfo], *, name="source.tar", mode="w") -> Path:
    with tarfile.open(folder / name, mode) as archive:
        for member, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.name = member
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.addfile(info)
    return folder / name


def as_tgz(folder: Path, files) -> Path:
    return as_tar(folder, files, name="source.tgz", mode="w:gz")


def link(target: str, kind=tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("make", [as_folder, as_zip, as_tar, as_tgz])
def test_every_kind_of_source_gives_the_same_names_and_bytes(tmp_path, make):
    with open_source(make(tmp_path, FILES | HIDDEN)) as source:
        assert source.names == ("a.txt", "a/b.txt", "list.json")
        assert [source.read(name) for name in source.names[:2]] == [b"one", b"two"]
        assert source.json("list.json") == {"k": [1]}
        assert "a.txt" in source
        assert ".DS_Store" not in source


@pytest.mark.parametrize("make", [as_zip, as_tar, as_tgz])
def test_names_that_lead_out_of_an_archive_are_left_out(tmp_path, make):
    evil = {"../evil.txt": b"x", "/etc/evil": b"x", "a/../../evil": b"x", "good.txt": b"y"}
    with open_source(make(tmp_path, evil)) as source:
        assert source.names == ("good.txt",)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("make", [as_tar, as_tgz])
def test_links_inside_a_tar_are_followed_and_others_left_out(tmp_path, make):
    (tmp_path / "secret").write_bytes(b"secret")
    files = {
        "real/a.txt": b"one",
        "images/a.txt": link("../real/a.txt"),
        "hard.txt": link("real/a.txt", tarfile.LNKTYPE),
        "out.txt": link(str(tmp_path / "secret")),
        "up.txt": link("../secret"),
        "loop.txt": link("loop.txt"),
        "pipe": link("", tarfile.FIFOTYPE),
    }
    with open_source(make(tmp_path, files)) as source:
        assert source.names == ("hard.txt", "images/a.txt", "real/a.txt")
        assert {source.read(name) for name in source.names} == {b"one"}


def test_a_link_in_a_zip_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        entry = zipfile.ZipInfo("link.png")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with open_source(tmp_path / "source.zip") as source:
        assert source.names == ()


def test_backslashes_of_windows_separate_folders(tmp_path):
    with open_source(as_zip(tmp_path, {"masks\\a.png": b"x"})) as source:
        assert source.names == ("masks/a.png",)


def test_nothing_of_a_packed_tar_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with open_source(as_tgz(tmp_path, FILES)) as source:
        assert list((tmp_path / "temporary").iterdir())
        assert source.read("a.txt") == b"one"
    assert not list((tmp_path / "temporary").iterdir())


def test_a_member_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = as_zip(tmp_path, {"bomb": b"0" * 2000, "small": b"0"})
    monkeypatch.setattr(source_module, "MAX_FILE_BYTES", 1000)
    with open_source(path) as source:
        assert source.read("small") == b"0"
        with pytest.raises(FileFault, match=r"source\.zip/bomb: cannot be read \(it has"):
            source.read("bomb")


def test_a_damaged_member_is_an_error_of_that_file(tmp_path):
    path = as_zip(tmp_path, {"a.txt": b"abcdefgh" * 50})
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with open_source(path) as source, pytest.raises(FileFault, match=r"a\.txt: cannot be read"):
        source.read("a.txt")


@pytest.mark.parametrize("name", ["source.zip", "source.tar", "source.tar.gz", "source.tar.xz"])
def test_a_file_that_only_looks_like_an_archive_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive at all" * 100)
    with pytest.raises(DataError, match="cannot be read as an archive"), open_source(tmp_path / name):
        pass


def test_a_tar_that_ends_early_is_an_error(tmp_path):
    path = as_tgz(tmp_path, {f"{i}.txt": bytes(range(256)) * 40 for i in range(20)})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read as an archive"), open_source(path):
        pass


def test_an_encrypted_zip_is_refused_with_a_remedy(tmp_path):
    path = as_zip(tmp_path, {"a.txt": b"one"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(DataError, match="is encrypted"), open_source(path):
        pass


def test_what_is_no_source_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="does not exist"):
        open_source(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"expected a folder or an archive \(\.zip"):
        open_source(tmp_path / "photo.jpg")


def test_missing_files_and_bad_json_name_the_file(tmp_path):
    with open_source(as_folder(tmp_path, {"bad.json": b'{"a": 1,\n oops}', "deep.json": b"[" * 200_000})) as source:
        with pytest.raises(FileFault, match=r"gone\.png: is missing"):
            source.read("gone.png")
        with pytest.raises(FileFault, match=r"bad\.json: is no JSON .*line 2"):
            source.json("bad.json")
        with pytest.raises(FileFault, match=r"deep\.json: is no JSON .*recursion"):
            source.json("deep.json")


def test_a_folder_is_found_at_any_depth(tmp_path):
    files = {"VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt": b"", "ImageSets/Segmentation/val.txt": b""}
    with open_source(as_folder(tmp_path, files)) as source:
        assert source.prefixes("ImageSets/Segmentation") == ["", "VOCdevkit/VOC2012/"]
        assert source.prefixes("JPEGImages") == []
