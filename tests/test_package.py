"""The package as a user imports it."""

import importlib
import inspect
import subprocess
import sys

import pytest

import tfmot_onexn

# public names that come with later capabilities are not here yet
PUBLIC = {
    *("ConstantSparsity", "OneShot", "PolynomialDecay"),
    *("PruneAll", "PruneConvolutions", "PrunePointwise"),
    *("PruningSummaries", "UpdatePruningStep"),
    *("build_tvm", "convert_to_tflite", "export", "from_keras3", "load_interpreter"),
    *("prepare_for_xnnpack", "summary"),
    *("prune_filters", "prune_low_magnitude_1xN", "prune_scope", "prune_weights"),
    *("SoftUniformRamp", "prune_soft_uniform_1xN", "Calibration"),
    *("rearrange", "shrink_filters", "strip_pruning"),
}


def test_public_names_are_those_of_the_design_and_documented():
    assert set(tfmot_onexn.__all__) == PUBLIC
    for name in PUBLIC:
        assert inspect.getdoc(getattr(tfmot_onexn, name)), name
    assert set(dir(tfmot_onexn)) >= PUBLIC


def test_names_load_without_the_extra_for_tvm():
    code = (
        "import sys; sys.modules['tvm'] = sys.modules['tflite'] = None\n"
        "import tfmot_onexn\n"
        "from tfmot_onexn.tvm import manifest, vm_runtime\n"
        "for call in (tfmot_onexn.build_tvm, tfmot_onexn.export):\n"
        "  try: call('m.tflite', 'm.so')\n"
        "  except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.count("pip install tfmot-onexn[tvm]") == 2, done.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'prune_everything'"):
        _ = tfmot_onexn.prune_everything


def test_importing_is_cheap_and_makes_tf_keras_the_keras_of_tensorflow():
    code = (
        "import os, sys, tfmot_onexn;"
        "assert not {'tensorflow', 'tf_keras', 'numpy'} & set(sys.modules);"
        "assert os.environ['TF_USE_LEGACY_KERAS'] == '1';"
        "import tensorflow, tf_keras;"
        "assert tensorflow.keras.Model is tf_keras.Model"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("module", sorted({*tfmot_onexn._MODULE_OF.values()}))
def test_every_module_of_a_public_name_exists(module):
    importlib.import_module(module)
