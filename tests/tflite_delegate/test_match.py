import numpy as np
import pytest
from small_files import NONE, RELU, RELU6, SAME, VALID, SmallFile, block_kernel

CHANNELS, WIDE = 24, 64
SIXTH = 1 / 6
ALONE = "Its zero blocks are skipped."


class Block:
    """An inverted residual and what it is made of."""

    def __init__(self, rng, half=False, shape=(1, 9, 10, CHANNELS)):
        self.rng = rng
        self.file = SmallFile(half)
        self.x = self.file.input(list(shape))

    def conv(self, x, outputs, n=8, act=NONE, window=1, **options):
        shape = (outputs, window, window, self.file.shape(x)[3])
        kernel = block_kernel(self.rng, shape, n)
        return self.file.conv(x, kernel, act=act, **options)

    def dense_conv(self, x, outputs, act=NONE):
        inputs = self.file.shape(x)[3]
        kernel = self.rng.normal(size=(outputs, 1, 1, inputs)) / np.sqrt(inputs)
        return self.file.conv(x, kernel, act=act)

    def depthwise(self, x, taps=3, multiplier=1, **options):
        channels = self.file.shape(x)[3] * multiplier
        kernel = self.rng.normal(size=(1, taps, taps, channels)) / taps
        return self.file.depthwise(x, kernel, **options)

    def squeeze(self, x, conv, scale=SIXTH, swap=False):
        file = self.file
        y = conv(file.mean(x), 16, act=RELU)
        y = conv(y, file.shape(x)[3], act=RELU6)
        if scale is not None:
            y = file.multiply(y, file.constant(np.float32(scale)))
        if not swap:
            return file.multiply(x, y)
        return file.operator("MUL", [y, x], file.shape(x), "MulOptions")

    def finish(self, *outputs):
        self.file.output(*outputs)
        return self.file.content()


def claimed(verdicts):
    return [verdict["claimed"] for verdict in verdicts]


def residual(rng, half=False, **options):
    block = Block(rng, half)
    y = block.conv(block.x, WIDE, act=RELU6)
    y = block.depthwise(y, act=RELU6, **options)
    y = block.conv(y, CHANNELS)
    if options.get("stride", 1) == 1 and options.get("padding", SAME) == SAME:
        y = block.file.add(block.x, y)
    return block.finish(y)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5])
def test_inverted_residuals(taps, stride, padding, half, rng, same):
    verdicts = same(residual(rng, half, taps=taps, stride=stride, padding=padding))
    count = 4 if stride == 1 and padding == SAME else 3
    assert [verdict["reason"] for verdict in verdicts] == [
        f"It is the expansion of an inverted residual of {count} operators.",
        "It is the projection behind a depthwise convolution, computed as one of "
        f"{count} operators.",
    ]
    assert verdicts[0]["kernel"] == verdicts[1]["kernel"] != ""


@pytest.mark.parametrize("swap", [False, True])
def test_the_residual_is_added_from_either_side(swap, rng, same):
    block = Block(rng)
    y = block.conv(block.depthwise(block.conv(block.x, WIDE)), CHANNELS)
    y = block.file.add(y, block.x) if swap else block.file.add(block.x, y)
    verdicts = same(block.finish(y))
    assert "4 operators" in verdicts[1]["reason"]


@pytest.mark.parametrize("act", [NONE, RELU6])
def test_depthwise_separable_blocks(act, rng, same):
    block = Block(rng)
    y = block.depthwise(block.x, act=RELU)
    y = block.conv(y, 48, act=act)
    y = block.depthwise(y, stride=2)
    y = block.conv(y, 32, act=act)
    verdicts = same(block.finish(y))
    assert claimed(verdicts) == [True, True]
    assert all("2 operators" in verdict["reason"] for verdict in verdicts)


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 1, 0, 1), (2, 0, 1, 3)])
@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("stride", [1, 2])
def test_explicit_padding(pads, padding, stride, rng, same):
    block = Block(rng)
    y = block.file.pad(block.conv(block.x, WIDE, act=RELU6), *pads)
    y = block.conv(block.depthwise(y, stride=stride, padding=padding), 32)
    verdicts = same(block.finish(y))
    assert "4 operators" in verdicts[0]["reason"]
    assert claimed(verdicts) == [True, True]


def test_padding_in_front_of_a_convolution(rng, same):
    block = Block(rng)
    y = block.file.pad(block.x, 1, 1, 2, 0)
    y = block.conv(y, 32, window=3, padding=VALID)
    (verdict,) = same(block.finish(y))
    assert "2 operators" in verdict["reason"]


def test_hard_swish_everywhere(rng, same):
    block = Block(rng)
    swish = block.file.hard_swish
    y = swish(block.conv(block.x, WIDE))
    y = swish(block.depthwise(y, taps=5))
    y = block.file.add(swish(block.conv(y, CHANNELS)), block.x)
    verdicts = same(block.finish(y))
    assert "7 operators" in verdicts[0]["reason"]


def test_hard_swish_behind_an_activation_is_left(rng, same):
    block = Block(rng)
    y = block.file.hard_swish(block.conv(block.x, 32, act=RELU6))
    (verdict,) = same(block.finish(y))
    assert verdict["reason"] == ALONE


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("scale", [None, SIXTH])
@pytest.mark.parametrize("kind", ["conv", "dense_conv"])
@pytest.mark.parametrize("swap", [False, True])
def test_squeeze_and_excite(swap, kind, scale, half, rng, same):
    block = Block(rng, half, shape=(2, 7, 6, CHANNELS))
    y = block.file.hard_swish(block.conv(block.x, WIDE))
    y = block.file.hard_swish(block.depthwise(y, stride=2))
    y = block.squeeze(y, getattr(block, kind), scale, swap)
    verdicts = same(block.finish(block.conv(y, 40, n=4)))
    operators = 9 if scale is None else 10
    assert claimed(verdicts) == [True] * 4
    reason = "It is part of the squeeze and excite in a chain of "
    reason += f"{operators} operators."
    assert [verdict["reason"] for verdict in verdicts[1:3]] == [reason] * 2
    assert [verdict["n"] for verdict in verdicts][::3] == [8, 4]


def test_squeeze_and_excite_without_an_expansion(rng, same):
    block = Block(rng)
    y = block.squeeze(block.depthwise(block.x, act=RELU), block.dense_conv)
    verdicts = same(block.finish(block.file.add(block.conv(y, CHANNELS), block.x)))
    assert claimed(verdicts) == [True] * 3


@pytest.mark.parametrize("axes", [(2, 1), (-2, -3)])
def test_a_mean_may_name_its_axes_otherwise(axes, rng, same):
    block = Block(rng)
    block.file.mean = lambda x, mean=block.file.mean: mean(x, axes)
    y = block.squeeze(block.depthwise(block.x), block.dense_conv)
    assert claimed(same(block.finish(block.conv(y, 16)))) == [True] * 3


@pytest.mark.parametrize("tail", [False, True])
def test_single_convolutions_take_their_neighbours(tail, rng, same):
    block = Block(rng)
    y = block.conv(block.x, CHANNELS, window=3)
    if tail:
        y = block.file.hard_swish(y)
    verdicts = same(block.finish(block.file.add(y, block.x)))
    assert f"{2 + tail} operators" in verdicts[0]["reason"]


def test_both_sides_of_an_addition(rng, same):
    block = Block(rng)
    left, right = block.conv(block.x, 32), block.conv(block.x, 32, window=3)
    verdicts = same(block.finish(block.file.add(left, right)))
    assert claimed(verdicts) == [True, True]


def test_additions_that_broadcast_or_activate_are_left(rng, same):
    block = Block(rng)
    y = block.conv(block.x, CHANNELS)
    y = block.file.add(y, block.file.mean(block.x))
    z = block.file.add(block.conv(y, CHANNELS), y, act=RELU)
    w = block.file.add(block.conv(z, CHANNELS), block.file.constant(np.float32(2)))
    verdicts = same(block.finish(w))
    assert {verdict["reason"] for verdict in verdicts} == {ALONE}


def test_tensors_with_two_readers_end_a_chain(rng, same):
    block = Block(rng)
    y = block.conv(block.x, WIDE)
    z = block.conv(block.depthwise(y), WIDE)
    verdicts = same(block.finish(block.file.add(z, y)))
    assert claimed(verdicts) == [True, True]
    assert "expansion" not in verdicts[0]["reason"]


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_outputs_of_the_graph_inside_a_chain(which, rng, same):
    """Each tensor of a block is the second output, which nothing tells a delegate."""
    block = Block(rng)
    tensors = [block.conv(block.x, WIDE)]
    tensors.append(block.depthwise(tensors[-1]))
    tensors.append(block.conv(tensors[-1], CHANNELS))
    tensors.append(block.file.hard_swish(tensors[-1]))
    y = block.file.add(tensors[-1], block.x)
    verdicts = same(block.finish(y, tensors[which]))
    assert claimed(verdicts) == [True, True]
    assert ("expansion" in verdicts[0]["reason"]) == (which > 1)


def test_a_kernel_that_two_layers_share(rng, same):
    block = Block(rng)
    file = block.file
    kernel = file.constant(block_kernel(rng, (CHANNELS, 1, 1, CHANNELS), 8))
    bias = file.constant(np.zeros(CHANNELS))
    y = block.x
    for _ in range(2):
        y = file.conv_of(y, kernel, bias, CHANNELS)
    assert claimed(same(block.finish(y))) == [True, True]


def test_depthwise_convolutions_with_more_outputs_are_left(rng, same):
    block = Block(rng)
    y = block.depthwise(block.x, multiplier=2)
    verdicts = same(block.finish(block.conv(y, 32)))
    assert verdicts[0]["reason"] == ALONE


def test_a_projection_with_a_stride_is_left_alone(rng, same):
    block = Block(rng)
    verdicts = same(block.finish(block.conv(block.depthwise(block.x), 32, stride=2)))
    assert verdicts[0]["reason"] == ALONE
