"""How each kind of layer passes channels on: one short rule per kind.

  registry       which rule a layer gets, and what happens where there is none
  kernels        layers that make channels
  normalization  layers that scale channels by statistics
  elementwise    layers that treat every channel alike, or by a weight of its own
  joining        layers that join tensors
  moving         layers that move positions
  functions      TensorFlow functions on Keras tensors

The first paragraph of a rule's docstring is what the page of supported layers says.
"""

from tfmot_onexn.graph.rules import (
    elementwise,
    functions,
    joining,
    kernels,
    moving,
    normalization,
)
from tfmot_onexn.graph.rules.registry import RULES, rule_for, untraceable

__all__ = [
    "RULES",
    "elementwise",
    "functions",
    "joining",
    "kernels",
    "moving",
    "normalization",
    "rule_for",
    "untraceable",
]
