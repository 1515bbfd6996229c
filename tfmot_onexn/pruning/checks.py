"""Which arguments the pruning functions take, and why not others."""

import logging

import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import calls, tracing
from tfmot_onexn.sparsity import permutation

_log = logging.getLogger("tfmot_onexn")


def is_single_layer(to_prune) -> bool:
    """Returns whether it is a layer that is no model."""
    return isinstance(to_prune, tf_keras.layers.Layer) and not isinstance(
        to_prune, tf_keras.Model
    )


def validate(to_prune, pruning_policy: tfmot.PruningPolicy) -> None:
    """Raises ValueError unless it is a model, a layer or a list that can be pruned."""
    if isinstance(to_prune, tf_keras.Model):
        require_keras_model(to_prune)
        pruning_policy.ensure_model_supports_pruning(to_prune)
        return
    for item in to_prune if isinstance(to_prune, list) else [to_prune]:
        _reject_keras3(item)
        if not isinstance(item, tf_keras.layers.Layer):
            raise ValueError(
                "Only a tf_keras model, layer or list of layers can be pruned, found "
                f"{item!r} ({type(item).__name__})."
            )


def require_keras_model(model) -> None:
    """Raises ValueError unless it is a functional or Sequential `tf_keras` model."""
    _reject_keras3(model)
    if not isinstance(model, tf_keras.Model):
        raise ValueError(
            f"Expected a tf_keras model, found {model!r} ({type(model).__name__})."
        )
    if not (
        isinstance(model, tf_keras.Sequential)
        or getattr(model, "_is_graph_network", False)
    ):
        raise ValueError(
            f"Model {model.name!r} ({type(model).__name__}) is subclassed; its layers "
            "cannot be replaced from outside. Write it with the functional API, or "
            "prune its layers one by one: "
            "self.conv = tfmot_onexn.prune_low_magnitude_1xN(layer)."
        )


def _reject_keras3(value) -> None:
    if any(kind.__module__.split(".")[0] == "keras" for kind in type(value).__mro__):
        raise ValueError(
            f"{getattr(value, 'name', value)!r} is a Keras 3 object; tfmot works on "
            "tf_keras. Copy the model with tfmot_onexn.from_keras3(model), which keeps "
            "its weights, or set TF_USE_LEGACY_KERAS=1 before importing TensorFlow."
        )


def rearrangement(rearrange: str, to_prune) -> str:
    """Resolves "auto" and refuses what cannot be done.

    Returns:
      "none" or one of `sparsity.permutation.METHODS`.

    Raises:
      ValueError: if the name is unknown, or the method asked for is not possible.
    """
    choices = ("auto", "none", *permutation.METHODS)
    if rearrange not in choices:
        raise ValueError(
            f"Unknown rearrangement {rearrange!r}; choose one of {list(choices)}."
        )
    obstacle = None
    if not isinstance(to_prune, tf_keras.Model):
        obstacle = "single layers have no graph that shows who reads their channels"
    elif not calls.has_graph(to_prune):
        obstacle = "the model has no graph until it is built on an input shape"
    elif tracing.is_wrapped(to_prune):
        obstacle = "the model has pruning wrappers, whose masks would not follow"
    if rearrange == "none" or obstacle is None:
        return "swaps" if rearrange == "auto" else rearrange
    if rearrange != "auto":
        raise ValueError(
            f"rearrange={rearrange!r} is not possible: {obstacle}. Pass a functional "
            "or built Sequential model without wrappers, or rearrange='none'."
        )
    _log.info("Filters stay in order: %s.", obstacle)
    return "none"


def needs_graph(argument: str, to_prune) -> None:
    """Raises ValueError unless it is a model that an argument can be followed in."""
    if not calls.has_graph(to_prune):
        raise ValueError(
            f"{argument} needs a functional or built Sequential model, whose layers it "
            f"compares; found {getattr(to_prune, 'name', type(to_prune).__name__)!r}. "
            "Build the model on an input shape, or leave the argument out."
        )
    tracing.require_bare(to_prune)


def validate_width(layer: tf_keras.layers.Layer, n: int) -> None:
    """Raises ValueError if a layer has fewer output channels than a block."""
    width = getattr(layer, "filters", getattr(layer, "units", None))
    if width is not None and n > width:
        raise ValueError(
            f"Layer {layer.name!r} has {width} output channels, fewer than N = {n}. "
            f"Choose N <= {width}."
        )
