import collections
import warnings

import pytest
import tvm_networks
from tvm import relax
from tvm_ffi import structural_equal

from tfmot_onexn.tvm import frontend, rewrite, tiles


def kernels_of(tmp_path, name, n=None):
    module = frontend.load(tvm_networks.file_of(tmp_path, name, n))
    found = rewrite.rewrite(module, tiles.AVX2)
    return found, collections.Counter(
        type(kernel).__name__ for _, kernel in found.kernels
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenet", {"Convolution": 1, "Depthwise": 13, "Product": 13}),
        ("mobilenet_v2", {"Convolution": 1, "Depthwise": 17, "Product": 34}),
        # scaling of the image, and the gates of squeeze and excite
        (
            "mobilenet_v3_small",
            {
                "Convolution": 1,
                "Depthwise": 11,
                "Product": 22,
                "Dense": 18,
                "Pool": 9,
                "Steps": 10,
            },
        ),
        (
            "resnet50",
            {"Convolution": 23, "Product": 30, "Pad": 1, "Pool": 1},
        ),
    ],
)
def test_every_operator_has_a_kernel(name, expected, tmp_path):
    found, counts = kernels_of(tmp_path, name)
    assert counts == expected
    assert found.left == []


def test_blocks_are_found_from_the_zeros(tmp_path):
    found, _ = kernels_of(tmp_path, "mobilenet_v2", 8)
    products = [kernel for _, kernel in found.kernels if hasattr(kernel, "columns")]
    sizes = {kernel.n for kernel in products if hasattr(kernel, "shape")}
    assert sizes == {8}
    # half of the blocks, as far as halves go
    for kernel in products:
        if hasattr(kernel, "shape"):
            blocks = kernel.shape[-1] // kernel.n * kernel.columns
            assert kernel.blocks == pytest.approx(blocks / 2, abs=1)


def test_an_operator_without_a_kernel_is_named():
    x = relax.Var("x", relax.TensorType((1, 4), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(relax.op.nn.relu(x))
            result = builder.emit_output(relax.op.cos(y))
        builder.emit_func_output(result)
    with pytest.warns(UserWarning, match="TVM's own code computes cos of .*, which is"):
        found = rewrite.rewrite(builder.get(), tiles.AVX2)
    assert [type(kernel).__name__ for _, kernel in found.kernels] == ["Steps"]
    assert len(found.left) == 1


def test_equal_layers_share_a_function(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, _ = kernels_of(tmp_path, "mobilenet_v2")
    names = [name for name, _ in found.kernels]
    assert len(set(names)) < len(names)


def test_a_kernel_is_written_for_the_tile_that_is_chosen(tmp_path):
    module = frontend.load(tvm_networks.file_of(tmp_path, "mobilenet_v2"))
    asked = []

    def choose(kernel):
        asked.append(kernel)
        return tiles.AVX512

    chosen = rewrite.rewrite(module, tiles.AVX2, choose)
    narrow, wide = (
        rewrite.rewrite(module, tile) for tile in (tiles.AVX2, tiles.AVX512)
    )
    assert asked == list(dict.fromkeys(kernel for _, kernel in chosen.kernels))
    assert structural_equal(chosen.module, wide.module)
    assert not structural_equal(chosen.module, narrow.module)
