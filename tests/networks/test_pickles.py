import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.networks import pickles


@pytest.fixture
def write(tmp_path):
    def call(content):
        (tmp_path / "some").write_bytes(content)
        return tmp_path / "some"

    return call


@pytest.mark.parametrize("protocol", [3, 4])
def test_plain_values_and_arrays_are_read(write, rng, protocol):
    array = rng.integers(0, 256, (3, 5), np.uint8)
    content = {b"a": array, b"b": [1, 2, b"c"], b"d": np.asfortranarray(array)}
    read = pickles.load(write(pickle.dumps(content, protocol)))
    np.testing.assert_array_equal(read[b"a"], array)
    np.testing.assert_array_equal(read[b"d"], array)
    assert read[b"b"] == [1, 2, b"c"]


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def test_a_pickle_calls_nothing(write, tmp_path):
    target = tmp_path / "made by a pickle"
    content = pickle.dumps({b"data": Malicious(target)})
    with pytest.raises(ValueError, match=r"some: it asks for posix.mkdir"):
        pickles.load(write(content))
    assert not target.exists()
    # what was refused is what would have been called
    pickle.loads(content)
    assert target.exists()


def test_other_content_is_refused(write, tmp_path):
    for content, message in [
        (b"", "Cannot read the pickle .*some: "),
        (pickle.dumps({})[:-1], "Cannot read the pickle"),
        (b"\x80\2}r\xff\xff\xff\x7f.", "byte 3 keeps a value as 2147483647"),
        (b"\x80\2}p99\n.", "byte 3 keeps a value as 99"),
        (b"\x80\4}\x96" + b"\xff" * 7 + b"\0.", "Cannot read the pickle"),
        (pickle.dumps([1]), "some does not hold a dictionary"),
        (pickle.dumps({b"a": np.zeros(3)}), "it has an array that is not uint8"),
        (pickle.dumps({b"a": np.array([None])}), "it has an array that is not uint8"),
    ]:
        with pytest.raises(ValueError, match=message):
            pickles.load(write(content))
    with pytest.raises(ValueError, match=r"No file .*gone; the folder is not complete"):
        pickles.load(tmp_path / "gone")


WHOLE = pickle.dumps({b"data": np.arange(8, dtype=np.uint8), b"labels": [1, 2]}, 4)


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_pickle_is_read_or_refused(tmp_path_factory, at, new, gone):
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(WHOLE[:at] + new + WHOLE[at + gone :])
    try:
        assert isinstance(pickles.load(path), dict)
    except ValueError as error:
        assert str(path) in str(error)
    # a damaged dtype must not reach the one that the process shares
    assert np.zeros(2, np.uint8).tobytes() == b"\0\0"
