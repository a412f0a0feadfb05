"""An augmented manifest through RecordIO pipes trains the very model that the same files in folders train."""

import contextlib
import hashlib
import json
import os
import shutil
import struct
import threading

from tests.journeys.sagemaker.job import configure, tiny_job, train

MAGIC = 0xCED7230A


def framed(content):
    """One RecordIO record, after the layout of dmlc-core's recordio.h."""
    return struct.pack("<II", MAGIC, len(content)) + content + b"\0" * (-len(content) % 4)


def send(path, records):
    # The platform would send a second epoch too, which nobody opens here.
    with contextlib.suppress(BrokenPipeError), path.open("wb") as pipe:
        for record in records:
            pipe.write(framed(record))


def digest(root):
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_pipes_give_the_model_that_folders_give(tmp_path):
    in_folders = tiny_job(tmp_path / "folders", epochs="2")
    code, log = train(in_folders)
    assert code == 0, log

    piped = tiny_job(tmp_path / "pipes", epochs="2")
    data = piped / "input" / "data"
    texts = json.loads((piped / "input" / "config" / "hyperparameters.json").read_text())
    wrapped = {"TrainingInputMode": "Pipe", "RecordWrapperType": "RecordIO", "ContentType": "application/x-recordio"}
    configure(piped, texts, channels={"train": wrapped, "validation": wrapped})
    for split in ("train", "validation"):
        images = sorted((data / split).iterdir())
        pairs = [(image, data / f"{split}_annotation" / image.name) for image in images]
        records = [path.read_bytes() for pair in pairs for path in pair]
        for folder in (split, f"{split}_annotation"):
            shutil.rmtree(data / folder)
        os.mkfifo(data / f"{split}_0")
        threading.Thread(target=send, args=(data / f"{split}_0", records), daemon=True).start()
    code, log = train(piped)
    assert code == 0, log
    assert "Channel train: 16 records (8 images with masks) spooled from train_0" in log
    assert digest(piped) == digest(in_folders)
