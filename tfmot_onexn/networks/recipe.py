"""How the paper fine-tunes a pruned network (section 4.1)."""

import dataclasses

import tensorflow as tf
import tf_keras


@dataclasses.dataclass(frozen=True)
class Recipe:
    """SGD with momentum, weight decay and a cosine learning rate after a warm-up.

    The defaults are the paper's but for the number of epochs (90 on ImageNet) and the
    warm-up, which only its code has.

    Attributes:
      epochs: passes over the training images.
      batch_size: images per step.
      learning_rate: at the top of the cosine.
      warmup_epochs: of a linear rise to it.
      momentum: of SGD.
      weight_decay: added to the gradient, times the weight.
      augmentation: one of `augmentation.NAMES`, or "auto", the dataset's usual one.
      seed: of the order of images and their augmentation.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.1
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 4e-5
    augmentation: str = "auto"
    seed: int = 0

    def compile(self, model: tf_keras.Model, steps_per_epoch: int) -> None:
        """Compiles a classifier with outputs ``[batch, classes]`` that sum to 1."""
        warmup = round(self.warmup_epochs * steps_per_epoch)
        rate = tf_keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else self.learning_rate,
            decay_steps=max(1, self.epochs * steps_per_epoch - warmup),
            warmup_target=self.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
        model.compile(
            DecayedSGD(rate, self.momentum, self.weight_decay),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class DecayedSGD(tf_keras.optimizers.SGD):
    """SGD whose weight decay is part of the gradient, as in the paper's code.

    Keras' own ``weight_decay`` is applied past the momentum, which is another rule.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum: float = 0.9,
        gradient_decay: float = 4e-5,
        **kwargs,
    ):
        super().__init__(learning_rate, momentum, **kwargs)
        self.gradient_decay = gradient_decay

    def update_step(self, gradient, variable):
        if isinstance(gradient, tf.IndexedSlices):
            gradient = tf.convert_to_tensor(gradient)
        decay = tf.cast(self.gradient_decay, variable.dtype)
        super().update_step(gradient + decay * variable, variable)

    def get_config(self):
        return {**super().get_config(), "gradient_decay": self.gradient_decay}
