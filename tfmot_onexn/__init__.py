"""1xN block sparsity for TensorFlow Model Optimization.

Prune a Keras model in 1xN blocks, fine-tune it, and ship it as a standard `.tflite`:

```python
import tfmot_onexn

pruned = tfmot_onexn.prune_low_magnitude_1xN(model, n=4)
pruned.compile(optimizer, loss)
pruned.fit(x, y, callbacks=[tfmot_onexn.UpdatePruningStep()])
final = tfmot_onexn.strip_pruning(pruned)
tfmot_onexn.convert_to_tflite(final, "model.tflite")
```

Names load on first use, so that importing the package is cheap.
"""

import importlib
import os
import sys
from typing import Any

# tfmot works on tf_keras; this makes tf.keras mean the same
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_MODULE_OF = {
    "Calibration": "tfmot_onexn.pruning.calibration.settings",
    "ConstantSparsity": "tensorflow_model_optimization.sparsity.keras",
    "OneShot": "tfmot_onexn.pruning.schedule",
    "PolynomialDecay": "tensorflow_model_optimization.sparsity.keras",
    "PruneAll": "tfmot_onexn.pruning.policy",
    "PruneConvolutions": "tfmot_onexn.pruning.policy",
    "PrunePointwise": "tfmot_onexn.pruning.policy",
    "PruningSummaries": "tensorflow_model_optimization.sparsity.keras",
    "SoftUniformRamp": "tfmot_onexn.pruning.schedule",
    "UpdatePruningStep": "tfmot_onexn.pruning.callbacks",
    "build_tvm": "tfmot_onexn.tvm.build",
    "convert_to_tflite": "tfmot_onexn.tflite.convert",
    "export": "tfmot_onexn.tvm.export",
    "from_keras3": "tfmot_onexn.networks.keras3",
    "load_interpreter": "tfmot_onexn.tflite.interpreter",
    "prepare_for_xnnpack": "tfmot_onexn.tflite.preparation",
    "prune_filters": "tfmot_onexn.pruning.prune",
    "prune_low_magnitude_1xN": "tfmot_onexn.pruning.prune",
    "prune_scope": "tfmot_onexn.pruning.prune",
    "prune_soft_uniform_1xN": "tfmot_onexn.pruning.soft_uniform",
    "prune_weights": "tfmot_onexn.pruning.prune",
    "rearrange": "tfmot_onexn.graph.rearrange",
    "shrink_filters": "tfmot_onexn.graph.shrink",
    "strip_pruning": "tfmot_onexn.pruning.prune",
    "summary": "tfmot_onexn.inspection",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


if "tensorflow" in sys.modules:
    # Keras loads files only with layers that it knows
    importlib.import_module("tfmot_onexn.pruning.prune")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
