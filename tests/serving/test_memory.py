"""What the C library does with freed memory, seen in the page faults of a process of its own."""

import platform
import subprocess
import sys

import pytest

from pixelwise.serving.memory import keep_freed_memory

# Blocks as a batch has them, in a thread as the network runs in one; each page that is new to the process is a fault.
PROGRAM = """
import resource, sys, threading
from pixelwise.serving.memory import keep_freed_memory

def work():
    [bytearray(24 << 20) for _ in range(3)]

def batches():
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if sys.argv[1] == "keep":
    assert keep_freed_memory()
thread = threading.Thread(target=batches)
thread.start()
thread.join()
"""


def faults(what):
    command = [sys.executable, "-c", PROGRAM, what]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_the_memory_of_a_batch_serves_the_next_one():
    # ten batches of 72 MiB: even where the system gives pages of 2 MiB, 360 are new when none is kept
    assert 10 * faults("keep") < faults("leave") >= 360


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_a_system_without_such_a_library_is_left_as_it_is(monkeypatch, error):
    def refuse(_):
        raise error

    monkeypatch.setattr("ctypes.CDLL", refuse)
    assert keep_freed_memory() is False


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert keep_freed_memory() is False
