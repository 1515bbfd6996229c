"""When, and how much, to prune: tfmot's schedules and `OneShot`."""

from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.sparsity import masks

# any schedule has reached its final sparsity by then
_LAST_STEP = 2**40


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class OneShot(tfmot.PruningSchedule):
    """Prunes when the model is wrapped, as the paper does before fine-tuning.

    The masks stand from then on, so a model can be converted without any training.
    tfmot's ``ConstantSparsity(0.5, 0)``, by contrast, first prunes at step 100.

    ```python
    pruned = tfmot_onexn.prune_low_magnitude_1xN(
        model, pruning_schedule=tfmot_onexn.OneShot(0.5)
    )
    ```
    """

    def __init__(self, target_sparsity: float):
        """Sets the sparsity.

        Args:
          target_sparsity: share of blocks that become zero, in [0, 1).

        Raises:
          ValueError: if it lies outside.
        """
        masks.validate_sparsity(target_sparsity)
        self.target_sparsity = float(target_sparsity)

    def __call__(self, step):
        return tf.constant(False), tf.constant(self.target_sparsity, tf.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            "class_name": "tfmot_onexn>OneShot",
            "config": {"target_sparsity": self.target_sparsity},
        }


def final_sparsity(schedule: tfmot.PruningSchedule) -> float:
    """Returns the sparsity a schedule ends with."""
    return float(schedule(tf.constant(_LAST_STEP, tf.int64))[1])


def deserialize(config: dict[str, Any]) -> tfmot.PruningSchedule:
    """Builds a schedule from its config; your own must be registered with Keras."""
    known = {kind.__name__: kind for kind in (tfmot.ConstantSparsity,)}
    known["PolynomialDecay"] = tfmot.PolynomialDecay
    return tf_keras.utils.legacy.deserialize_keras_object(config, custom_objects=known)
