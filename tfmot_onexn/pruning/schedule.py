"""When, and how much, to prune: tfmot's schedules, `OneShot` and `SoftUniformRamp`."""

import math
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


# 0.05 per epoch over the 170 epochs of the authors' ramp
_EXPONENT = 8.5
_RAMPS = {
    "cubic": lambda x: x**3,
    "linear": lambda x: x,
    "cos": lambda x: 1 - tf.cos(math.pi / 2 * x),
    "exp": lambda x: (1 - tf.exp(-_EXPONENT * x)) / (1 - math.exp(-_EXPONENT)),
}


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class SoftUniformRamp(tfmot.PruningSchedule):
    """Raises the sparsity from 0 while a network trains from scratch: SUBP's schedule.

    With x the share of the ramp that is over, the sparsity is the target times

    * "cubic", the paper's: x³, which starts slowly: an eighth half-way. (tfmot's
      `PolynomialDecay` is 1 − (1 − x)³, which starts fast.)
    * "linear": x
    * "cos": 1 − cos(πx/2)
    * "exp": 1 − exp(−8.5 x), divided by its value at x = 1

    Masks are renewed at ``begin_step``, every ``frequency`` steps after it, and last at
    ``end_step``: from there on they stand, and training is plain fine-tuning.

    ```python
    ramp = tfmot_onexn.SoftUniformRamp.from_epochs(
        0.5, begin=5, end=70, steps_per_epoch=500
    )
    ```
    """

    def __init__(
        self,
        target_sparsity: float,
        begin_step: int,
        end_step: int,
        frequency: int = 100,
        ramp: str = "cubic",
    ):
        """Sets the ramp.

        Args:
          target_sparsity: share of blocks that are zero in the end, in [0, 1).
          begin_step: the first training step is 1.
          end_step: not before ``begin_step``; the same prunes to the target at once.
          frequency: steps between two renewals of the masks.
          ramp: "cubic", "linear", "cos" or "exp".

        Raises:
          ValueError: if a value does not fit.
        """
        masks.validate_sparsity(target_sparsity)
        if not 0 <= begin_step <= end_step or end_step < 1 or frequency < 1:
            raise ValueError(
                "A ramp needs 0 <= begin_step <= end_step, end_step >= 1 and "
                f"frequency >= 1, found begin_step={begin_step}, "
                f"end_step={end_step}, frequency={frequency}. Steps count batches; "
                "SoftUniformRamp.from_epochs takes epochs."
            )
        if ramp not in _RAMPS:
            raise ValueError(f"Unknown ramp {ramp!r}; choose one of {list(_RAMPS)}.")
        self.target_sparsity = float(target_sparsity)
        self.begin_step = int(begin_step)
        self.end_step = int(end_step)
        self.frequency = int(frequency)
        self.ramp = ramp

    @classmethod
    def from_epochs(
        cls,
        target_sparsity: float,
        begin: float,
        end: float,
        steps_per_epoch: int,
        *,
        interval: float = 1,
        ramp: str = "cubic",
    ) -> "SoftUniformRamp":
        """Returns a ramp that is given in epochs, of which the first is 0.

        Masks are renewed before the first step of an epoch, as in the authors' code.

        Args:
          target_sparsity: as for the class.
          begin: epoch in which the ramp begins.
          end: epoch from which on the masks stand.
          steps_per_epoch: batches in an epoch.
          interval: epochs between two renewals of the masks.
          ramp: as for the class.

        Raises:
          ValueError: if a value does not fit.
        """
        return cls(
            target_sparsity,
            begin_step=1 + round(begin * steps_per_epoch),
            end_step=1 + round(end * steps_per_epoch),
            frequency=max(1, round(interval * steps_per_epoch)),
            ramp=ramp,
        )

    def __call__(self, step):
        step = tf.cast(step, tf.int64)
        since = tf.clip_by_value(step, self.begin_step, self.end_step) - self.begin_step
        length = max(1, self.end_step - self.begin_step)
        over = tf.cast(since, tf.float32) / length
        target = tf.constant(self.target_sparsity, tf.float32)
        ended = step >= self.end_step
        sparsity = tf.where(ended, target, target * _RAMPS[self.ramp](over))
        in_turn = tf.equal((step - self.begin_step) % self.frequency, 0)
        on_ramp = (step >= self.begin_step) & ~ended & in_turn
        return on_ramp | tf.equal(step, self.end_step), sparsity

    def get_config(self) -> dict[str, Any]:
        return {
            "class_name": "tfmot_onexn>SoftUniformRamp",
            "config": {
                "target_sparsity": self.target_sparsity,
                "begin_step": self.begin_step,
                "end_step": self.end_step,
                "frequency": self.frequency,
                "ramp": self.ramp,
            },
        }


def final_sparsity(schedule: tfmot.PruningSchedule) -> float:
    """Returns the sparsity a schedule ends with."""
    with tf.init_scope():
        return float(schedule(tf.constant(_LAST_STEP, tf.int64))[1].numpy())


def deserialize(config: dict[str, Any]) -> tfmot.PruningSchedule:
    """Builds a schedule from its config; your own must be registered with Keras."""
    known = {kind.__name__: kind for kind in (tfmot.ConstantSparsity,)}
    known["PolynomialDecay"] = tfmot.PolynomialDecay
    return tf_keras.utils.legacy.deserialize_keras_object(config, custom_objects=known)


def with_final_sparsity(
    schedule: tfmot.PruningSchedule, sparsity: float
) -> tfmot.PruningSchedule:
    """Returns a copy of a schedule that ends with another sparsity.

    What a gradual schedule begins with falls alike where it ends with less.

    Args:
      schedule: `OneShot`, or tfmot's ConstantSparsity or PolynomialDecay.
      sparsity: in [0, 1).

    Raises:
      ValueError: if it is another schedule.
    """
    if type(schedule) in (OneShot, tfmot.ConstantSparsity):
        settings = schedule.get_config()["config"]
        return type(schedule)(**{**settings, "target_sparsity": sparsity})
    if type(schedule) is tfmot.PolynomialDecay:
        settings = schedule.get_config()["config"]
        begin = settings["initial_sparsity"]
        if sparsity < settings["final_sparsity"]:
            begin *= sparsity / settings["final_sparsity"]
        changes = {"initial_sparsity": begin, "final_sparsity": sparsity}
        return tfmot.PolynomialDecay(**{**settings, **changes})
    raise ValueError(
        f"{type(schedule).__name__} cannot be given a sparsity for each layer. Use "
        "OneShot, ConstantSparsity or PolynomialDecay, or allocation='per_layer'."
    )
