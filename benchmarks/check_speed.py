"""What a check costs: its time against merely decoding the same files, and its memory for few and many files.

    python benchmarks/check_speed.py DATASET [--rounds 5]

Decoding is Pillow's load() of every image and mask, by as many processes as there are cores; their start is not
counted. Check and decoding take turns in going first, each round reads all files once by either, and the ratio of
the sums should be at most 1.3. Peak memory is that of a fresh process which checks 1,000 files and of another which
checks 100,000, hard links to fifty small pictures; it should not grow.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import pixelwise
from pixelwise.data.dataset.channels import CHANNELS, IMAGE_SUFFIXES

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
LISTED = (1_000, 100_000)
ORIGINALS = {"train": 40, "validation": 10}  # pictures, linked from so many names that splits stay 4 to 1


def files_of(dataset):
    """Every image and mask, an image and its mask side by side."""
    found = [path for name in CHANNELS for path in (dataset / name).rglob("*")]
    files = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(files, key=lambda path: (path.stem, str(path)))


def decode(path):
    with Image.open(path) as image:
        image.load()


def seconds_of(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(dataset, rounds):
    """(check, decoding) seconds of each round, after one that nobody counts."""
    files = files_of(dataset)
    rows = []
    with ProcessPoolExecutor(CORES) as pool:
        works = {
            "check": lambda: pixelwise.check(dataset),
            "decoding": lambda: list(pool.map(decode, files, chunksize=8)),
        }
        for number in range(rounds + 1):
            order = sorted(works, reverse=number % 2 == 1)
            taken = {name: seconds_of(works[name]) for name in order}
            if number:
                rows.append((taken["check"], taken["decoding"]))
                print(f"round {number}: check {rows[-1][0]:.2f} s, decoding {rows[-1][1]:.2f} s", flush=True)
    return rows, len(files)


def draw(seed):
    """An image of soft shapes like no other seed's, and a mask of three classes in bands."""
    random = np.random.default_rng(seed)
    colors = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    bands = np.sort(random.integers(0, 3, 72)).astype(np.uint8)
    image = Image.fromarray(colors).resize((96, 72), Image.Resampling.BICUBIC)
    return image, Image.fromarray(np.repeat(bands[:, None], 96, axis=1))


def make_dataset(root, num_files):
    """Folders of `num_files` files in all, half of them masks."""
    for number, (split, originals) in enumerate(ORIGINALS.items()):
        images, masks = root / split, root / f"{split}_annotation"
        images.mkdir(parents=True)
        masks.mkdir()
        for i in range(num_files // 2 * originals // sum(ORIGINALS.values())):
            paths = images / f"{i:06d}.jpg", masks / f"{i:06d}.png"
            if i < originals:
                for path, picture in zip(paths, draw((number, i)), strict=True):
                    picture.save(path)
            else:
                for path in paths:
                    os.link(path.with_stem(f"{i % originals:06d}"), path)


def check_alone(dataset):
    """Check in this process and print what it took; for `memory_of`."""
    seconds = seconds_of(lambda: print(len(pixelwise.check(dataset).findings), end=" "))
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    print(seconds, *(resource.getrusage(who).ru_maxrss for who in whose))


def memory_of(num_files):
    """Peak MB of a process that checks so many files, its largest worker's included."""
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(Path(folder), num_files)
        command = [sys.executable, __file__, folder, "--alone"]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    findings, seconds, own, worker = (float(part) for part in answer)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KB
    text = f"{num_files:,} files: {seconds:.1f} s, {own / unit:.0f} MB, largest worker {worker / unit:.0f} MB"
    print(f"{text}, {findings:.0f} findings", flush=True)
    return (own + worker) / unit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        check_alone(arguments.dataset)
        return

    # First of all: on Linux a process begins with the peak of the one that started it.
    few, many = (memory_of(count) for count in LISTED)
    from machine import facts  # brings torch along

    print(f"{facts()}; {CORES} processes decode")
    rows, num_files = measure(arguments.dataset, arguments.rounds)
    check, decoding = (sum(column) for column in zip(*rows, strict=True))
    print(
        f"memory {few:.0f} MB at {LISTED[0]:,} files, {many:.0f} MB at {LISTED[1]:,}: ratio {many / few:.2f}", end=" "
    )
    print("(aim: no growth)")
    print(f"{num_files} files: check {check:.1f} s, decoding {decoding:.1f} s: ratio {check / decoding:.2f}", end=" ")
    print("(aim: at most 1.30)")


if __name__ == "__main__":
    main()
