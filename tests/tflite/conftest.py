"""Converted files that several tests read."""

import os
import pathlib
import subprocess

import numpy as np
import pytest
from graphs import images, small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.tflite import convert

_OLD_RUNTIME = pathlib.Path(__file__).parents[2] / ".venv-tflite-runtime/bin/python"
_RUN = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter, load_delegate
images = np.load(sys.argv[2])
delegates = [load_delegate(path, {"cost_gate": "off"}) for path in sys.argv[4:]]
loaded = Interpreter(sys.argv[1], experimental_delegates=delegates)
loaded.allocate_tensors()
outputs = []
for image in images:
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image[None])
    loaded.invoke()
    outputs.append(loaded.get_tensor(loaded.get_output_details()[0]["index"]).copy())
np.save(sys.argv[3], np.concatenate(outputs))
"""


@pytest.fixture
def tflite_runtime(tmp_path):
    """Runs a file in tflite_runtime 2.14, which needs an environment of its own."""

    def run(path, images, delegate=None):
        """Returns the outputs, and with a delegate what was printed too."""
        assert _OLD_RUNTIME.exists(), "run `make test`, which installs tflite_runtime"
        given, result = tmp_path / "images.npy", tmp_path / "outputs.npy"
        np.save(given, images)
        arguments = [str(_OLD_RUNTIME), "-c", _RUN, str(path), str(given), str(result)]
        if delegate:
            arguments.append(str(delegate))
        done = subprocess.run(
            arguments,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "ONEXN_DEBUG": "1"},
        )
        return (np.load(result), done.stderr) if delegate else np.load(result)

    return run


@pytest.fixture(scope="session")
def dense_model():
    return randomize(small_network(width=3))


@pytest.fixture(scope="session")
def pruned_model(dense_model):
    """All kernels in 1x4 blocks: 3x3, 1x1 and Dense."""
    return prune.prune_low_magnitude_1xN(
        dense_model, 4, pruning_policy=policy.PruneAll(), rearrange="none"
    )


@pytest.fixture(scope="session")
def sparse_file(pruned_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "sparse.tflite"
    convert.convert_to_tflite(pruned_model, path)
    return path


@pytest.fixture(scope="session")
def batch_of_images(dense_model):
    return images(dense_model, 4)
