import os
import threading

import pytest

from pixelwise import workers
from pixelwise.workers import (
    available_cores,
    available_memory,
    in_order,
    num_threads,
    peak_memory,
    resident_memory,
    usable_memory,
)


def test_work_goes_ahead_by_a_bounded_number_of_items():
    begun = []
    results = in_order(lambda item: begun.append(item) or item, iter(range(100)), workers=2, ahead=6)
    assert next(results) == 0
    results.close()
    assert len(begun) <= 6


def test_results_keep_the_order_of_their_items():
    waits = threading.Event()

    def first_is_slow(item):
        if item == 0:
            waits.wait(5)
        else:
            waits.set()
        return item

    assert list(in_order(first_is_slow, range(20), workers=3, ahead=8)) == list(range(20))


def test_what_the_work_raises_is_raised_at_its_turn():
    def refuse_3(item):
        if item == 3:
            raise ValueError(item)
        return item

    results = in_order(refuse_3, range(10), workers=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)


def test_without_threads_the_caller_does_the_work():
    assert set(in_order(lambda _: threading.get_ident(), range(3), workers=0)) == {threading.get_ident()}


def test_an_ended_iterator_leaves_no_thread_behind():
    before = threading.active_count()
    assert list(in_order(str, range(5))) == list("01234")
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_cores_that_the_process_may_not_use_are_not_counted():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert available_cores() == num_threads(None) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert num_threads(7) == 7


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 3 MB available, and a container on it that the test describes."""
    meminfo = table(tmp_path / "meminfo", "MemTotal:  9000 kB", "MemFree:  1000 kB", "MemAvailable:  3000 kB")
    names = ("memory.max", "memory.current", "memory.stat")
    container = workers._Container(*(tmp_path / name for name in names), "inactive_file")
    monkeypatch.setattr(workers, "_MACHINE", meminfo)
    monkeypatch.setattr(workers, "_CONTAINERS", (container,))
    return container


def test_available_is_what_linux_says(machine):
    assert available_memory() == 3000 * 1024


def test_a_container_leaves_its_limit_less_what_it_uses_but_for_cached_files(machine):
    table(machine.limit, "2000000")
    table(machine.used, "1500000")
    assert available_memory() == 500_000
    table(machine.shares, "anon 1", "inactive_file 200000", "total_inactive_file 9")
    assert available_memory() == 700_000
    assert usable_memory() == 2_000_000
    table(machine.used, "2500000")
    assert available_memory() == 0


def test_a_container_without_a_limit_changes_nothing(machine):
    table(machine.limit, "max")
    table(machine.used, "1500000")
    assert available_memory() == 3000 * 1024


def test_without_linux_tables_all_that_there_is_counts(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_MACHINE", tmp_path / "missing")
    assert available_memory() == usable_memory() > 2**28


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells a process its size now")
def test_a_process_knows_its_size_and_its_peak():
    before = resident_memory()
    block = bytearray(64 * 2**20)
    assert resident_memory() - before > 60 * 2**20
    del block
    assert peak_memory() >= before + 60 * 2**20


def test_elsewhere_the_peak_is_what_getrusage_counts(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(workers, "_PROCESS", tmp_path / "missing")
    unit = 1 if workers.sys.platform == "darwin" else 1024
    assert resident_memory() is None
    assert peak_memory() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
