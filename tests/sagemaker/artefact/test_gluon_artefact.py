"""An artefact is found in its archive or folder; a hostile archive can do nothing."""

import gzip
import io
import json
import struct
import tarfile

import pytest

from pixelwise.errors import ModelError
from pixelwise.sagemaker.artefact.archive import open_artefact


def packed(path, *members):
    """A model.tar.gz of (name or TarInfo, content)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def header(name, size, kind=b"0"):
    """A tar header of its own, whose size may be a lie."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def refuse(path, message):
    with pytest.raises(ModelError, match=message), open_artefact(path):
        pass


@pytest.mark.parametrize("prefix", ["", "./", "model/"])
def test_an_archive_is_read_wherever_its_files_lie_at_the_top(tmp_path, prefix):
    given = json.dumps({"algorithm": "fcn"}).encode()
    files = [
        ("model_algo-1", b"last"),
        ("notes.txt", b"x"),
        ("model_best.params", b"best"),
        ("hyperparams.json", given),
    ]
    with open_artefact(packed(tmp_path / "model.tar.gz", *((prefix + name, each) for name, each in files))) as found:
        assert found.parameters.read_bytes() == b"best"
        assert found.hyperparameters == {"algorithm": "fcn"}
        assert not (found.parameters.parent / "notes.txt").exists()
    assert not found.parameters.exists()


def test_the_last_epoch_is_taken_where_there_is_no_best_one(tmp_path):
    (tmp_path / "model_algo-1").write_bytes(b"last")
    with open_artefact(tmp_path) as found:
        assert found == (tmp_path / "model_algo-1", {})


@pytest.mark.parametrize(
    "member",
    [
        ("/model_best.params", b""),
        ("../model_best.params", b""),
        ("a/../../x", b""),
        (special("model_best.params", tarfile.SYMTYPE), b""),
        (special("model_best.params", tarfile.LNKTYPE), b""),
        (special("model_best.params", tarfile.FIFOTYPE), b""),
        (special("x", tarfile.CHRTYPE), b""),
    ],
)
def test_links_devices_and_paths_that_lead_out_are_refused(tmp_path, member):
    refuse(packed(tmp_path / "model.tar.gz", member), "Not a safe artefact")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("model_best.params", 5 << 30), "model_best.params claims 5368709120 bytes"),
        (header("hyperparams.json", 2 << 20), "hyperparams.json claims 2097152 bytes"),
        (header("stray.bin", 7 << 30), "stray.bin claims 7516192768 bytes"),
        (header("model_best.params", -512), "claims -512 bytes"),
        (header("stray.bin", -1024), "claims -1024 bytes"),
        (header("PaxHeaders/x", -512, tarfile.XHDTYPE), "claims a part of -512 bytes"),
        (header("PaxHeaders/x", 3 << 30, tarfile.XHDTYPE), "claims a part of 3221225472 bytes"),
        (header("././@LongLink", 3 << 30, tarfile.GNUTYPE_LONGNAME), "claims a part of 3221225472 bytes"),
        (header("model_best.params", 4096) + b"\0" * 512, "not a complete model.tar.gz"),
    ],
)
def test_sizes_that_an_artefact_never_has_are_refused_unread(tmp_path, content, message):
    (tmp_path / "model.tar.gz").write_bytes(gzip.compress(content))
    refuse(tmp_path / "model.tar.gz", message)


def test_more_files_than_an_artefact_has_are_refused(tmp_path):
    path = packed(tmp_path / "model.tar.gz", *((f"{i}.txt", b"") for i in range(1001)))
    refuse(path, "more than 1000 files")


def test_an_archive_with_a_changed_byte_is_refused(tmp_path):
    path = packed(tmp_path / "model.tar.gz", ("model_best.params", bytes(range(256)) * 9))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of the checksum
    path.write_bytes(content)
    refuse(path, "not a complete model.tar.gz .*CRC check failed")


def test_a_file_that_comes_twice_is_refused(tmp_path):
    path = packed(tmp_path / "model.tar.gz", ("model_best.params", b"a"), ("./model_best.params", b"b"))
    refuse(path, r"holds model_best\.params twice")


def test_an_archive_cut_off_anywhere_is_refused(tmp_path):
    path = packed(tmp_path / "model.tar.gz", ("hyperparams.json", b"{}"), ("model_best.params", bytes(range(256)) * 9))
    content = path.read_bytes()
    for length in range(0, len(content), 5):
        path.write_bytes(content[:length])
        refuse(path, "not a complete model.tar.gz|holds neither")


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", struct.pack("<QQQ", 0x112, 0, 0), gzip.compress(b"no archive" * 99, mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "model.tar.gz").write_bytes(content)
    refuse(tmp_path / "model.tar.gz", "not a complete model.tar.gz|holds neither")


def test_what_is_not_there_and_what_holds_nothing_is_refused(tmp_path):
    refuse(tmp_path / "missing.tar.gz", "does not exist")
    refuse(tmp_path, r"holds neither model_best\.params nor model_algo-1")


def test_a_bundle_of_ours_is_told_apart(tmp_path):
    refuse(packed(tmp_path / "model.tar.gz", ("model.json", b"{}")), "is a bundle already")
