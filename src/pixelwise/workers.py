"""Work in threads, in order and a few pieces ahead; how many cores there are."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Is called with how many pieces of work are done, and how many there are."""

_AHEAD_PER_WORKER = 4


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    ahead: int | None = None,
) -> Generator[Result, None, None]:
    """Results of `function` in the order of `items`, computed by threads; memory does not grow with their number.

    What `function` raises is raised here at its turn. Closing the iterator waits for running threads.

    Args:
        function: what the threads do; it pays where it leaves the interpreter's lock, as Pillow and NumPy do.
        items: taken one by one, in the caller's thread.
        workers: threads; 0 for none, by default one for each core.
        ahead: at most so many results before their turn; by default four for each worker.
    """
    threads = available_cores() if workers is None else workers
    if threads == 0:
        yield from map(function, items)
        return
    limit = _AHEAD_PER_WORKER * threads if ahead is None else max(1, ahead)
    remaining = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pixelwise-data")
    try:
        waiting: deque[Future[Result]] = deque()
        while True:
            more = itertools.islice(remaining, limit - len(waiting))
            waiting.extend(pool.submit(function, item) for item in more)
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def num_threads(num_workers: int | None) -> int:
    """The setting `num_workers` resolved: one for each core, at most 16."""
    return min(16, available_cores()) if num_workers is None else num_workers


def available_cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
