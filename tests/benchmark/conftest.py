"""Files to measure."""

import pytest
from graphs import small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert


@pytest.fixture(scope="session")
def dense_model():
    return randomize(small_network(width=3))


@pytest.fixture(scope="session")
def files(dense_model, tmp_path_factory):
    """The path of each variant's file."""
    folder = tmp_path_factory.mktemp("files")
    paths = {}
    for method in ("dense", "weight", "onexn"):
        variant = Variant(method, n=8, rearrange="none")
        model = variant.finish(variant.prune(dense_model))
        paths[method] = str(folder / f"{method}.tflite")
        convert.convert_to_tflite(model, paths[method])
    return paths


@pytest.fixture(scope="session")
def build(files, tmp_path_factory):
    """The path of the pruned file's TVM build for this machine."""
    from tfmot_onexn.tvm.build import build_tvm

    path = tmp_path_factory.mktemp("builds") / "onexn.so"
    build_tvm(files["onexn"], path)
    return str(path)
