"""Numbers of a confusion matrix, worked out by hand."""

import numpy as np

from pixelwise.report.confusions import confused_pairs, occurring, off_diagonal, row_shares

# Class 1 is only predicted, class 3 is in neither truth nor prediction.
COUNTS = np.array([[60, 30, 10, 0], [0, 0, 0, 0], [0, 5, 15, 0], [0, 0, 0, 0]])


def test_classes_occur_in_truth_or_prediction():
    assert occurring(COUNTS).tolist() == [0, 1, 2]


def test_rows_say_where_the_pixels_of_a_class_went():
    assert row_shares(COUNTS).tolist() == [[0.6, 0.3, 0.1, 0], [0] * 4, [0, 0.25, 0.75, 0], [0] * 4]


def test_wrong_pixels_lie_off_the_diagonal():
    assert off_diagonal(COUNTS).tolist() == [[0, 30, 10, 0], [0] * 4, [0, 5, 0, 0], [0] * 4]


def test_the_worst_confusion_comes_first_with_its_shares():
    # 45 pixels are wrong; class 0 has 100 and class 2 has 20.
    assert confused_pairs(COUNTS) == [(0, 1, 30, 30 / 45, 0.3), (0, 2, 10, 10 / 45, 0.1), (2, 1, 5, 5 / 45, 0.25)]
    assert confused_pairs(COUNTS, most=1) == [(0, 1, 30, 30 / 45, 0.3)]


def test_of_equally_many_pixels_the_lower_ids_come_first():
    assert [pair[:2] for pair in confused_pairs(np.array([[0, 2, 2], [2, 0, 3], [0, 0, 0]]))] == [
        (1, 2),
        (0, 1),
        (0, 2),
        (1, 0),
    ]


def test_without_wrong_pixels_nothing_is_confused():
    assert confused_pairs(np.diag([3, 0])) == []
    assert confused_pairs(np.zeros((2, 2), dtype=np.int64)) == []
