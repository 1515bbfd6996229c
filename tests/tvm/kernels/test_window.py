import hypothesis
import tvm_kernels

from tfmot_onexn.tvm.kernels.window import Window


@hypothesis.given(tvm_kernels.moving_windows())
def test_outputs_are_as_many_as_positions(window):
    for axis in (0, 1):
        reach = (window.taps[axis] - 1) * window.dilation[axis] + 1
        positions = [
            at
            for at in range(0, window.padded[axis], window.strides[axis])
            if at + reach <= window.padded[axis]
        ]
        assert len(positions) == window.outputs[axis]


def test_padding_is_at_each_side():
    window = Window(1, 4, 5, (3, 3), padding=(1, 2, 3, 4))
    assert window.padded == (8, 11)


def test_a_single_pixel_moves_only():
    assert Window(2, 4, 4, (1, 1)).moves_only
    assert not Window(2, 4, 4, (1, 1), padding=(1, 0, 0, 0)).moves_only
    assert not Window(2, 4, 4, (1, 1), (2, 1)).moves_only
    assert not Window(2, 4, 4, (1, 3)).moves_only
