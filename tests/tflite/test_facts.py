import numpy as np
import pytest
from sparse_networks import body, pruned
from tf_keras import layers

from tfmot_onexn.sparsity import masks
from tfmot_onexn.tflite import convert, facts, flatbuffer, kernels
from tfmot_onexn.tflite.sparse_inference import State

# converting these networks warns of what is tested here
pytestmark = pytest.mark.filterwarnings("ignore:.* cannot run:UserWarning")


def counted_as_xnnpack_does(kernel_io):
    """In loops over blocks of whole width, 18/5 of 4 and 9/5 of 2."""
    for width, fifths in ((4, 18), (2, 9)):
        kept = nonzero = 0
        for row in kernel_io:
            for start in range(0, len(row) - width + 1, width):
                count = np.count_nonzero(row[start : start + width])
                kept += count > 0
                nonzero += count
        if kept and nonzero * 5 >= kept * fifths:
            return width
    return 1


@pytest.mark.parametrize("n", [1, 2, 4, 8])
@pytest.mark.parametrize("out_channels", [16, 18, 19])
@pytest.mark.parametrize("lost", [0, 0.05, 0.2])
def test_channels_at_a_time_follow_the_fill_of_blocks(rng, n, out_channels, lost):
    kernel = rng.normal(size=(1, 1, 24, out_channels))
    kernel *= masks.block_mask(kernel, n, 0.75) & (rng.random(kernel.shape) > lost)
    expected = counted_as_xnnpack_does(kernel[0, 0])
    assert facts.channels_at_a_time(kernel) == expected
    if lost == 0:
        assert expected == min(n, 4)


@pytest.mark.parametrize(("missing", "channels"), [(0, 4), (40, 4), (41, 1)])
def test_a_tenth_of_a_block_may_be_missing(missing, channels):
    kernel = np.ones((1, 1, 100, 4))
    kernel.reshape(-1)[: 4 * missing : 4] = 0
    assert facts.channels_at_a_time(kernel) == channels


def test_no_kept_block_is_one_channel():
    assert facts.channels_at_a_time(np.zeros((1, 1, 4, 8))) == 1
    assert facts.channels_at_a_time(np.ones((1, 1, 4, 1))) == 1


def facts_in(model, **kwargs):
    file = flatbuffer.read(convert.convert_to_tflite(model, **kwargs))
    stored = kernels.read(file)
    own = [facts.of_kernel(kernel, kernel.n, kernel.n is not None) for kernel in stored]
    found = facts.in_file(file, stored, own)
    return {kernel.name: of for kernel, of in zip(stored, found, strict=True)}


def test_a_kernel_tells_of_itself():
    found = facts_in(pruned(body(), 0.75))
    stem, expand = found["stem"], found["expand"]
    assert (expand.operator, expand.pointwise, expand.strided) == (
        "CONV_2D",
        True,
        False,
    )
    assert (stem.pointwise, stem.strided, stem.zeros) == (False, True, 0)
    assert expand.zeros == pytest.approx(0.75, abs=0.01)
    assert (expand.has_blocks, expand.stored_sparse, expand.channels) == (True, True, 4)
    assert (stem.has_blocks, stem.stored_sparse) == (False, False)


def test_the_graph_tells_the_rest():
    found = facts_in(pruned(body(layers.MaxPooling2D(name="largest"))))
    assert found["expand"].state is State.SPARSE
    assert found["last"].state is State.NOT_FROM_START
    assert found["expand"].leak.startswith("MAX_POOL_2D ")
    assert "largest" in found["expand"].leak
    assert found["expand"].reshaped == ""
    assert found["last"].blockers == found["expand"].leak
    keeping = layers.GlobalAveragePooling2D(keepdims=True)
    found = facts_in(pruned(body(head=keeping)))
    assert found["expand"].reshaped.startswith("MEAN ")
    assert found["expand"].leak == ""


def test_what_is_in_the_way_is_named():
    def strided_windows(x):
        for _ in range(3):
            x = layers.DepthwiseConv2D(3, 2, padding="same")(x)
            x = layers.Conv2D(16, 1)(x)
        return x

    found = facts_in(pruned(body(strided_windows, padded=False)))
    first, second, others = found["last"].blockers.split(", ")
    assert first.startswith("CONV_2D ") and "stem" in first
    assert second.startswith("DEPTHWISE_CONV_2D ")
    assert others == "2 more"
    assert facts_in(pruned(body()))["last"].blockers == ""


def test_a_leak_at_an_output_is_the_callers():
    model = pruned(body())
    wide = type(model)(model.input, [model.output, model.get_layer("project").output])
    found = facts_in(wide)
    assert found["expand"].leak


def test_a_kernel_with_one_use_that_runs_sparse_counts_as_sparse():
    """Called again behind what cannot run so, it is used in both ways."""
    shared = layers.Conv2D(16, 1, name="shared")
    model = pruned(
        body(lambda x: shared(layers.MaxPooling2D()(layers.ReLU()(shared(x)))))
    )
    assert facts_in(model)["shared"].state is State.SPARSE


def test_a_file_of_dense_tensors_has_no_states():
    found = facts_in(pruned(body()), sparse=False)
    assert {of.state for of in found.values()} == {None}
