import hypothesis
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels import strips
from tfmot_onexn.tvm.kernels.window import Window


@hypothesis.given(
    tvm_kernels.moving_windows(batch=1, most=60),
    st.sampled_from([1, 3, 8, 16]),
    st.integers(1, 9),
    st.sampled_from([4, 8, 16]),
)
def test_strips_cover_the_output_once(window, n, parts, lanes):
    channels = n * parts
    found = strips.divide(window, channels, n, lanes)
    hypothesis.assume(found is not None)
    assert found.rows * found.strips * found.shares == window.outputs[0]
    assert channels % found.slice == found.slice % n == 0
    stride = window.strides[0]
    reach = (window.taps[0] - 1) * window.dilation[0] + 1
    assert found.read == (found.rows - 1) * stride + reach
    assert found.kept == found.read - found.rows * stride >= 0
    # a strip never computes fewer rows, wherever it lies
    for share in range(found.shares):
        for number in range(found.strips):
            first = (share * found.strips + number) * found.rows
            top = first * stride - window.padding[0]
            begin = top + found.kept if number else max(top, 0)
            end = min(top + found.read, window.height)
            assert end - begin >= found.fewest > 0


def test_maps_of_mobilenet_v2():
    window = Window(1, 56, 56, (3, 3), padding=(1, 1, 1, 1))
    found = strips.divide(window, 144, 16, 16)
    assert (found.slice, found.shares) == (16, 2)
    # it stays in the cache
    assert found.read * 56 * 16 * 4 <= 48 << 10


def test_slices_are_as_wide_as_fills_vectors():
    window = Window(1, 56, 56, (3, 3), padding=(1, 1, 1, 1))
    assert strips.divide(window, 72, 8, 16).slice == 24
    assert strips.divide(window, 72, 8, 8).slice == 8


def test_what_cannot_be_divided():
    padding = (1, 1, 1, 1)
    assert strips.divide(Window(2, 56, 56, (3, 3), padding=padding), 16, 16, 16) is None
    # rows between windows that nothing reads
    assert strips.divide(Window(1, 56, 56, (1, 1), (2, 2)), 16, 16, 16) is None
    # blocks wider than a slice
    assert strips.divide(Window(1, 56, 56, (3, 3)), 64, 64, 16) is None
