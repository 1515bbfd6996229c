import pytest

from tfmot_onexn.experiments.speed import depthwise_speed
from tfmot_onexn.experiments.speed.depthwise_speed import DepthwiseShape

# of 3x3 and 5x5, with and without a stride, of odd sizes too
SHAPES = [
    *(DepthwiseShape(8, 24), DepthwiseShape(8, 16, 3, 2), DepthwiseShape(7, 16, 5)),
    DepthwiseShape(14, 8, 5, 2),
]


def test_each_shape_is_measured_beside_litert():
    found = depthwise_speed.measure(SHAPES, rounds=3)
    assert [each.shape for each in found] == SHAPES
    for each in found:
        seconds = each.microseconds.median / 1e6
        assert each.litert.median > 0
        assert each.gmacs.median == pytest.approx(each.shape.macs / seconds / 1e9)
        assert each.gigabytes.median == pytest.approx(each.shape.bytes / seconds / 1e9)


def test_work_bytes_and_padding_of_a_shape():
    shape = DepthwiseShape(14, 64, 5, 2)
    assert shape.outputs == 7
    assert shape.macs == 7 * 7 * 25 * 64
    assert shape.bytes == 4 * 64 * (14 * 14 + 7 * 7 + 25)
    assert shape.padding == (1, 1, 2, 2)
    assert DepthwiseShape(14, 64).padding == (1, 1, 1, 1)
    assert DepthwiseShape(14, 64, 3, 2).padding == (0, 0, 1, 1)


def test_shapes_are_those_of_the_network():
    found = depthwise_speed.default_shapes(["mobilenet_v2"])
    assert found[0] == DepthwiseShape(112, 32)
    assert found[1] == DepthwiseShape(112, 96, 3, 2)
    assert found[-1] == DepthwiseShape(7, 960)
    assert len(found) == len(set(found)) == 10


def test_a_wrong_kernel_is_not_timed(monkeypatch):
    load = depthwise_speed.in_litert

    def wrong(layer, images):
        litert = load(layer, images)
        layer.set_weights([weights * 2 for weights in layer.get_weights()])
        return litert

    monkeypatch.setattr(depthwise_speed, "in_litert", wrong)
    with pytest.raises(ValueError, match=r"beside LiteRT, is .* off"):
        depthwise_speed.measure(SHAPES[:1], rounds=1)
