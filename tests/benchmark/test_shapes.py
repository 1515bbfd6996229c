import pytest
import tf_keras

from tfmot_onexn.benchmark import shapes
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.networks import models


@pytest.mark.parametrize("network", shapes.NETWORKS)
def test_lists_have_the_networks_layers(network):
    model = models.NETWORKS[network](input_shape=(224, 224, 3), weights=None)
    expected = [
        Shape(
            layer.name,
            *layer.input_shape[1:],
            layer.filters,
            layer.strides[0],
        )
        for layer in model.layers
        if type(layer) is tf_keras.layers.Conv2D and layer.kernel_size == (1, 1)
    ]
    found = shapes.of(network)
    assert found == expected
    outputs = [model.get_layer(shape.name).output_shape for shape in found]
    assert [(None, *s.output_size, s.outputs) for s in found] == outputs


def test_some_networks_and_strides_are_there():
    assert {"mobilenet", "mobilenet_v2", "mobilenet_v3_large"} < set(shapes.NETWORKS)
    assert {shape.stride for shape in shapes.of("resnet50")} == {1, 2}


def test_an_odd_size_with_a_stride():
    shape = Shape("odd", 7, 5, 8, 16, 2)
    assert (shape.output_size, shape.pixels, shape.macs) == ((4, 3), 12, 12 * 8 * 16)


def test_comments_and_empty_lines_are_skipped(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# name H W K M stride\n\na 2 3 4 8 1  # first\nb 2 3 4 8 2\n")
    assert shapes.read(path) == [Shape("a", 2, 3, 4, 8), Shape("b", 2, 3, 4, 8, 2)]


@pytest.mark.parametrize("line", ["a 1 2 3 4", "a 1 2 3 4 5 6", "a 1 2 3 4 x", "a"])
def test_other_lines_are_named(tmp_path, line):
    path = tmp_path / "list.txt"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ValueError, match=rf"list\.txt, line 2 is '{line}'; expected"):
        shapes.read(path)


def test_sizes_are_positive(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a 1 2 0 4 1\n")
    with pytest.raises(ValueError, match="line 1: a size is below 1"):
        shapes.read(path)


def test_unknown_networks_are_told():
    with pytest.raises(ValueError, match="no list of shapes of 'vgg16'; choose"):
        shapes.of("vgg16")


def test_distinct_keeps_the_first_of_each_and_their_order():
    a, b, c = (Shape(name, 2, 2, 4, m) for name, m in (("a", 8), ("b", 16), ("c", 8)))
    assert shapes.distinct([a, b, c]) == [a, b]
