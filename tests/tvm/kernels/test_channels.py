import hypothesis
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.channels import chunks


@hypothesis.given(st.integers(1, 300), st.sampled_from([1, 2, 4, 8, 16]))
def test_every_channel_is_in_one_vector(channels, lanes):
    covered = [
        channel
        for first, count, width in chunks(channels, lanes)
        for channel in range(first, first + count * width)
    ]
    assert covered == list(range(channels))


def test_the_last_ones_are_in_narrower_vectors():
    assert chunks(37, 16) == [(0, 2, 16), (32, 1, 4), (36, 1, 1)]
    assert chunks(48, 16) == [(0, 3, 16)]
