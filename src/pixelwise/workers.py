"""Work in threads, in order and a few pieces ahead; how many cores and how much memory there are for it."""

import contextlib
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Is called with how many pieces of work are done, and how many there are."""

_AHEAD_PER_WORKER = 4

_KIB = 1024


class _Container(NamedTuple):
    """Where Linux says what memory a container may use, what it uses, and what of that it would give back."""

    limit: Path
    used: Path
    shares: Path
    reclaimable: str  # the line of `shares` with cached files that nobody has looked at lately


# Control groups 2 and 1.
_CONTAINERS = (
    _Container(
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory.current"),
        Path("/sys/fs/cgroup/memory.stat"),
        "inactive_file",
    ),
    _Container(
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.stat"),
        "total_inactive_file",
    ),
)
_MACHINE, _PROCESS = Path("/proc/meminfo"), Path("/proc/self/status")


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


def usable_memory() -> int:
    """Bytes that all of this machine or container have, in use or not; 4 GiB where nothing says it."""
    try:
        usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        usable = 4 * 2**30
    for container in _CONTAINERS:
        with contextlib.suppress(OSError, ValueError):  # no container, or "max"
            usable = min(usable, int(container.limit.read_text()))
    return usable


def available_memory() -> int:
    """Bytes that a process can still take without anything being swapped or killed.

    On Linux MemAvailable, or what a container's limit leaves; elsewhere all that there is, as nothing says more.
    """
    available = _line(_MACHINE, "MemAvailable:", _KIB)
    available = usable_memory() if available is None else available
    for container in _CONTAINERS:
        with contextlib.suppress(OSError, ValueError):
            free = int(container.limit.read_text()) - int(container.used.read_text())
            # Cached files count as used, but are dropped before anything is refused.
            available = min(available, free + (_line(container.shares, container.reclaimable, 1) or 0))
    return max(available, 0)


def resident_memory() -> int | None:
    """Bytes of this process that lie in memory now; None where only its peak is known, or not even that."""
    return _line(_PROCESS, "VmRSS:", _KIB)


def peak_memory() -> int | None:
    """The most bytes of this process that ever lay in memory at a time; None on Windows."""
    # Not ru_maxrss where it can be had: that begins with the size of the process that started this one.
    own = _line(_PROCESS, "VmHWM:", _KIB)
    if own is not None:
        return own
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def _line(file: Path, name: str, unit: int) -> int | None:
    """The number behind `name`, in bytes, in one of Linux's tables; None where there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in file.read_text().splitlines():
            words = line.split()
            if words and words[0] == name:
                return int(words[1]) * unit
    return None
