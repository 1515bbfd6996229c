import numpy as np
import pytest

from tfmot_onexn.networks.division import divide


def test_a_fifth_of_every_class_is_held_out():
    labels = np.repeat(np.arange(3), [10, 50, 5])
    train, test = divide(labels, 0)
    assert np.bincount(labels[test]).tolist() == [2, 10, 1]
    assert sorted([*train, *test]) == list(range(65))
    assert not np.array_equal(divide(labels, 1)[1], test)
    np.testing.assert_array_equal(divide(labels, 0)[1], test)


@pytest.mark.parametrize("labels", [np.arange(7), np.repeat(np.arange(4), 2)])
def test_images_alternate_where_classes_are_too_small(labels):
    train, test = divide(labels, 0)
    assert train.tolist() == list(range(0, labels.size, 2))
    assert test.tolist() == list(range(1, labels.size, 2))
