"""Settings for every test."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    # of NumPy, whose threads wait busily for processors that other workers have
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("project")


@pytest.fixture(autouse=True)
def same_weights_each_run():
    """Seeds Keras' initial weights, some of which would leave filters dead."""
    if "tf_keras" in sys.modules:
        sys.modules["tf_keras"].utils.set_random_seed(0)


@pytest.fixture
def float64():
    """Builds Keras models in float64, so that rounding cannot hide an error."""
    import tf_keras

    tf_keras.backend.set_floatx("float64")
    tf_keras.mixed_precision.set_global_policy("float64")
    yield
    tf_keras.backend.set_floatx("float32")
    tf_keras.mixed_precision.set_global_policy(None)


@pytest.fixture
def short_search(monkeypatch):
    """Searches for an order of filters in few steps."""
    from tfmot_onexn.sparsity import annealing

    monkeypatch.setattr(annealing, "_MAX_ROUNDS", 4)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
