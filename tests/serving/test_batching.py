import threading

import numpy as np
import pytest
import torch

from pixelwise.serving.batching import Batcher
from pixelwise.serving.limits import Refusal
from tests.serving.conftest import EXPECTED, PIXELS, until

WIDE = np.stack([PIXELS] * 3, axis=-1)
HIGH = np.ascontiguousarray(WIDE.transpose(1, 0, 2))


@pytest.fixture
def batcher(predictor, network):
    batcher = Batcher(predictor, max_batch=3)
    yield batcher
    network.gate.set()
    batcher.close()


def held(batcher, network):
    """An image that occupies the network until the gate opens, so that others queue."""
    network.gate.clear()
    first = batcher.submit(np.zeros((4, 4, 3), dtype=np.uint8))
    until(lambda: network.calls == 1)
    return first


def test_a_lone_image_goes_at_once(batcher, network):
    prediction = batcher.submit(WIDE).result(30)
    assert np.array_equal(prediction.class_ids, EXPECTED)
    assert prediction.probabilities is None
    assert network.shapes == [(1, 3, 16, 32)]


def test_images_that_queue_go_together_when_their_size_is_equal(batcher, network):
    first = held(batcher, network)
    answers = [batcher.submit(pixels) for pixels in (WIDE, HIGH, WIDE, HIGH, WIDE, WIDE)]
    assert batcher.waiting == 6
    network.gate.set()
    for answer, expected in zip(answers, (EXPECTED, EXPECTED.T, EXPECTED, EXPECTED.T, EXPECTED, EXPECTED), strict=True):
        assert np.array_equal(answer.result(30).class_ids, expected)
    assert first.result(30).class_ids.shape == (4, 4)
    # three at most; the oldest decides whose turn it is
    assert network.shapes == [(1, 3, 4, 4), (3, 3, 16, 32), (2, 3, 32, 16), (1, 3, 16, 32)]


def test_images_of_one_size_and_different_depths_do_not_go_together(batcher, network):
    held(batcher, network)
    answers = [batcher.submit(pixels) for pixels in (WIDE, WIDE.astype(np.int16), WIDE)]
    network.gate.set()
    for answer in answers:
        assert np.array_equal(answer.result(30).class_ids, EXPECTED)
    assert network.shapes[1:] == [(2, 3, 16, 32), (1, 3, 16, 32)]


def test_probabilities_are_only_for_those_who_asked(batcher, network):
    held(batcher, network)
    plain, detailed = batcher.submit(WIDE), batcher.submit(np.full((16, 32, 3), 127, np.uint8), probabilities=True)
    network.gate.set()
    assert plain.result(30).probabilities is None
    # logits 0.5 and -0.5: the logistic function of 1
    assert detailed.result(30).probabilities[0] == pytest.approx(np.full((16, 32), 0.7310586))


def test_whoever_gave_up_waiting_costs_nothing(batcher, network):
    held(batcher, network)
    gone, patient = batcher.submit(WIDE), batcher.submit(WIDE)
    assert gone.cancel()
    network.gate.set()
    assert np.array_equal(patient.result(30).class_ids, EXPECTED)
    assert network.shapes == [(1, 3, 4, 4), (1, 3, 16, 32)]


def test_large_images_go_one_by_one(predictor, network, monkeypatch):
    monkeypatch.setattr("pixelwise.serving.batching.WHOLE_PIXELS", 2 * 16 * 32)
    batcher = Batcher(predictor, max_batch=8)
    held(batcher, network)
    answers = [batcher.submit(WIDE) for _ in range(5)]
    network.gate.set()
    assert all(np.array_equal(answer.result(30).class_ids, EXPECTED) for answer in answers)
    assert [shape[0] for shape in network.shapes] == [1, 2, 2, 1]
    batcher.close()


def test_a_batch_that_fails_is_tried_image_by_image(batcher, network):
    def too_many(images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    held(batcher, network)
    answers = [batcher.submit(WIDE) for _ in range(3)]
    network.failing = too_many
    network.gate.set()
    assert all(np.array_equal(answer.result(30).class_ids, EXPECTED) for answer in answers)


def test_an_image_too_large_for_memory_is_refused_and_the_next_is_answered(batcher, network):
    def fail(_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    network.failing = fail
    with pytest.raises(Refusal, match="Memory does not suffice for an image of 32 x 16 px") as caught:
        batcher.submit(WIDE).result(30)
    assert caught.value.status == 413
    network.failing = None
    assert np.array_equal(batcher.submit(WIDE).result(30).class_ids, EXPECTED)
    assert batcher.is_healthy


def test_closing_finishes_the_batch_at_work_and_refuses_what_waits(batcher, network):
    first, waiting = held(batcher, network), batcher.submit(WIDE)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    with pytest.raises(Refusal, match="shutting down") as caught:
        waiting.result(30)
    assert caught.value.status == 503
    network.gate.set()
    closing.join(30)
    assert first.result(30).class_ids.shape == (4, 4)
    assert not batcher.is_healthy
    with pytest.raises(Refusal, match="shutting down"):
        batcher.submit(WIDE)


def test_a_cpu_takes_two_at_a_time_unless_told_otherwise(predictor, network):
    batcher = Batcher(predictor)
    held(batcher, network)
    answers = [batcher.submit(WIDE) for _ in range(3)]
    network.gate.set()
    assert all(np.array_equal(answer.result(30).class_ids, EXPECTED) for answer in answers)
    assert [shape[0] for shape in network.shapes] == [1, 2, 1]
    batcher.close()
