"""What a training's time is counted by: seconds since its process began, of the processor or of the wall."""

import time

BEGAN = time.perf_counter()  # before torch, whose import takes seconds

import torch  # noqa: E402


def processor_seconds():
    """Processor time of all threads divided by the threads that compute: the wall's seconds, were the cores free."""
    return time.process_time() / torch.get_num_threads()


def wall_seconds():
    return time.perf_counter() - BEGAN


CLOCKS = {"cpu": processor_seconds, "wall": wall_seconds}
