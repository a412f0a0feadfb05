import os
import threading

import pytest

from pixelwise.workers import available_cores, in_order, num_threads


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
