"""What the endpoint costs: requests per second of `pixelwise serve` under load against the same work in a loop.

    python benchmarks/endpoint_load.py [IMAGES] [--model MODEL] [--seconds 60] [--clients 32] [--json]

IMAGES is a folder of JPEG files (`camvid/train`, 480 x 360 px); without it, street scenes of that size are drawn.
Without a model, deeplabv3plus on resnet18 with 11 classes and random weights is served.

The loop does for each image what the endpoint must, in one process with all cores: decode the JPEG, run the network,
encode the mask as PNG; it is timed before and after the load, since machines drift. Beside it stands the network
alone, two images at a time as the endpoint has them on a CPU (eight on a GPU). The load comes from one other process
whose connections send the next image when the mask of the last is there, of the right size; it shares the cores with
the server. Where other programs run, the processor time of an image says more than the rates.
Aims: no error, p99 under 4 times p50, memory that does not grow by more than 5%, at least 0.85 of the loop's images.
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

WIDTH, HEIGHT, NUM_CLASSES, IMAGES_READ, IMAGES_DRAWN = 480, 360, 11, 64, 16  # CamVid's
LARGEST_TAIL, LEAST_SHARE, MOST_GROWTH = 4, 0.85, 1.05


def make_model(folder):
    from pixelwise.bundle import Bundle, save_bundle
    from pixelwise.labels import LabelTable
    from pixelwise.models.segmenter import build_segmenter
    from pixelwise.settings import Settings

    settings = Settings(pretrained=False, num_classes=NUM_CLASSES)
    state = build_segmenter(settings, NUM_CLASSES).state_dict()
    save_bundle(folder, Bundle(settings, LabelTable.numbered(NUM_CLASSES), {}, {}, state))
    return folder


def draw_images(folder):
    from pixelwise.data.synthetic.scene import draw_scene

    folder.mkdir()
    for i in range(IMAGES_DRAWN):
        image, _ = draw_scene(np.random.default_rng(i), (WIDTH, HEIGHT))
        image.save(folder / f"{i:02d}.jpg", quality=90)
    return folder


def contents_of(folder):
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))[:IMAGES_READ]
    if not paths:
        raise SystemExit(f"{folder} has no JPEG files.")
    return [path.read_bytes() for path in paths]


def loop_speed(predictor, contents, seconds):
    """Images per second of the loop, and processor seconds for each."""
    from pixelwise.inference.render import written_mask

    def one(content):
        prediction = predictor.predict(content)
        written_mask(prediction.class_ids, prediction.labels, palette=False).save(io.BytesIO(), "PNG")

    return _speed(one, itertools.cycle(contents), seconds)


def network_speed(predictor, contents, seconds):
    """Images per second of the network alone, in batches."""
    import torch

    from pixelwise.data.reading import open_image, read_image
    from pixelwise.inference.forward import class_logits, likeliest

    size = 2 if predictor.runtime.device.type == "cpu" else 8
    pixels = np.array(read_image(open_image(contents[0]))).transpose(2, 0, 1)
    batch = torch.from_numpy(np.stack([pixels] * size))

    def one(batch):
        likeliest(class_logits(predictor.model, batch, runtime=predictor.runtime)).cpu()

    return size * _speed(one, itertools.repeat(batch), seconds)[0]


def _speed(work, inputs, seconds):
    for _ in range(3):
        work(next(inputs))
    begin, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < begin + seconds:
        work(next(inputs))
        done += 1
    return done / (time.perf_counter() - begin), (time.process_time() - used) / done


class Server:
    """`pixelwise serve` in a process of its own, at a port that was free."""

    def __init__(self, model, log):
        command = [sys.executable, "-m", "pixelwise.cli", "serve", str(model), "--port", "0"]
        # No pipe: a log that nobody reads would fill it and hold the server up.
        self.process = subprocess.Popen(command, stderr=log.open("w"))
        while self.process.poll() is None and "\n" not in log.read_text():
            time.sleep(0.1)
        if self.process.poll() is not None:
            raise SystemExit(f"The server did not start:\n{log.read_text()}")
        first = json.loads(log.read_text().splitlines()[0])
        self.on, self.address = first["on"], urlsplit(first["url"])

    def usage(self):
        """(resident MB, processor seconds so far); NaN where there is no /proc."""
        folder = Path(f"/proc/{self.process.pid}")
        if not folder.is_dir():
            return float("nan"), float("nan")
        pages = int((folder / "statm").read_text().split()[1])
        ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]  # of the user and of the system
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class Client:
    """Many connections in one thread: each sends an image, waits for its mask, and sends the next."""

    def __init__(self, place, contents, *, warm_up, seconds):
        self._place, self._images = place, [_request(content) for content in contents]
        self._begin = time.perf_counter() + warm_up
        self._end = self._begin + seconds
        self.latencies, self.errors = [], []

    async def run(self, connections):
        await asyncio.gather(*(self._connection(i) for i in range(connections)))

    async def _connection(self, number):
        reader, writer = await asyncio.open_connection(*self._place)
        while time.perf_counter() < self._end:
            request, size = self._images[number % len(self._images)]
            number += 1
            sent = time.perf_counter()
            try:
                writer.write(request)
                await writer.drain()
                fault = _fault(*await _answer(reader), size)
            except (OSError, EOFError) as error:
                fault = f"{type(error).__name__}: {error}"
                reader, writer = await asyncio.open_connection(*self._place)
            now = time.perf_counter()
            if fault:
                self.errors.append(fault)
            elif self._begin <= now < self._end:
                self.latencies.append(now - sent)
        writer.close()


def _request(content):
    """The bytes to send, and the size that the mask must have."""
    head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nAccept: image/png\r\n"
    with Image.open(io.BytesIO(content)) as image:
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content, image.size


async def _answer(reader):
    """Status and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return head.split()[1], await reader.readexactly(length)


def _fault(status, body, size):
    if status != "200":
        return f"{status}: {body[:200].decode(errors='replace')}"
    if body[12:16] != b"IHDR" or struct.unpack(">II", body[16:24]) != size:
        return f"the reply is no PNG of {size[0]} x {size[1]} px"
    return None


def be_client(host, port, images, clients, warm_up, seconds):
    """The load, in a process of its own; what it saw goes to standard output."""
    client = Client((host, port), contents_of(Path(images)), warm_up=warm_up, seconds=seconds)
    used = time.process_time()
    asyncio.run(client.run(clients))
    cores = (time.process_time() - used) / (warm_up + seconds)
    print(json.dumps({"latencies": client.latencies, "errors": client.errors, "client_cores": cores}))


def load(server, images, arguments):
    """What the client saw; the server's memory second by second and its processor time, without the warm-up."""
    place = [server.address.hostname, server.address.port, str(images)]
    told = json.dumps([*place, arguments.clients, arguments.warm_up, arguments.seconds])
    # One thread for its libraries, or they would wait in a loop for work on the server's cores.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--client", told]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    time.sleep(arguments.warm_up)
    usages = [server.usage()]
    while client.poll() is None and len(usages) <= arguments.seconds:
        time.sleep(1)
        usages.append(server.usage())
    answer, _ = client.communicate()
    if client.returncode:
        raise SystemExit("The client failed.")
    memory, used = zip(*usages, strict=True)
    return {**json.loads(answer), "memory": memory, "server_seconds": used[-1] - used[0]}


def figures(seen, loops, network, arguments):
    """Everything that is printed."""
    latencies, memory, done = np.array(seen["latencies"] or [np.nan]) * 1000, seen["memory"], len(seen["latencies"])
    third, speed = max(1, len(memory) // 3), done / arguments.seconds
    parts = {"start": memory[:third], "middle": memory[third:-third] or memory, "end": memory[-third:]}
    return {
        "requests": done,
        "requests_per_second": speed,
        "loop_images_per_second": [speed for speed, _ in loops],
        "network_images_per_second": network,
        "share_of_loop": speed / statistics.mean(speed for speed, _ in loops),
        "loop_core_ms_per_image": [1000 * used for _, used in loops],
        "endpoint_core_ms_per_image": 1000 * seen["server_seconds"] / max(1, done),
        "client_cores": seen["client_cores"],
        "p50_ms": float(np.percentile(latencies, 50)),
        "p99_ms": float(np.percentile(latencies, 99)),
        "memory_mb": {name: statistics.mean(values) for name, values in parts.items()},
        "errors": len(seen["errors"]),
        "first_errors": seen["errors"][:3],
    }


def report(found):
    """The figures, and whether each aim is met."""
    memory, share = found["memory_mb"], found["share_of_loop"]
    tail, growth = found["p99_ms"] / found["p50_ms"], memory["end"] / memory["start"]
    aims = [
        (f"{found['errors']} errors in {found['requests']} requests", "none", not found["errors"]),
        (f"p99 / p50 {tail:.2f}", f"under {LARGEST_TAIL}", tail < LARGEST_TAIL),
        (f"memory end / start {growth:.3f}", f"at most {MOST_GROWTH}", growth <= MOST_GROWTH),
        (f"endpoint / loop {share:.2f}", f"at least {LEAST_SHARE}", share >= LEAST_SHARE),
    ]
    speeds = *found["loop_images_per_second"], found["network_images_per_second"]
    print("loop: {:.1f} images/s before, {:.1f} after; the network alone: {:.1f}".format(*speeds))
    print(f"endpoint: {found['requests_per_second']:.1f} requests/s; the client took {found['client_cores']:.2f} cores")
    costs = *found["loop_core_ms_per_image"], found["endpoint_core_ms_per_image"]
    print("processor time of an image: loop {:.0f} and {:.0f} ms, endpoint {:.0f}".format(*costs))
    print(f"latency: p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f}")
    print(*(f"error: {fault}\n" for fault in found["first_errors"]), sep="", end="")
    print("memory: " + ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items()))
    for text, aim, is_met in aims:
        print(f"{'PASS ' if is_met else 'short'} {text} (aim: {aim})")


def measure(folder, arguments):
    from machine import facts

    import pixelwise

    model = arguments.model or make_model(folder / "model")
    images = arguments.images or draw_images(folder / "images")
    seconds, contents, predictor = max(2, arguments.seconds / 6), contents_of(images), pixelwise.load(model)
    network = network_speed(predictor, contents, seconds)
    before = loop_speed(predictor, contents, seconds)
    server = Server(model, folder / "log")
    try:
        seen = load(server, images, arguments)
    finally:
        server.process.terminate()
        server.process.wait()
    loops = before, loop_speed(predictor, contents, seconds)
    found = {"machine": facts(), "on": server.on, **figures(seen, loops, network, arguments)}
    if arguments.json:
        return print(json.dumps(found, indent=1))
    print(f"{found['machine']}; served on {server.on}; {arguments.clients} clients, {arguments.seconds:g} seconds")
    return report(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=Path, metavar="IMAGES", help="folder of JPEG files")
    parser.add_argument("--model", type=Path, help="run, bundle or model.tar.gz instead of random weights")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60, help="that count")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds before them")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--client", type=json.loads, help=argparse.SUPPRESS)  # for the process that is the load
    arguments = parser.parse_args()
    if arguments.client:
        return be_client(*arguments.client)
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), arguments)


if __name__ == "__main__":
    main()
