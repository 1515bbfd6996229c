"""How single layers are timed: in turns, beside the same layer in LiteRT."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import tf_keras

from tfmot_onexn.networks import random_weights
from tfmot_onexn.tflite import convert, interpreter

# of a turn: about so long, so many runs
_TURN_SECONDS, _MIN_RUNS, _MAX_RUNS = 1e-3, 1, 50
_TOLERANCE = 1e-5

# runs something so many times, returns the seconds of each
Timed = Callable[[int], np.ndarray]
Name = TypeVar("Name", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and percentiles over the rounds."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Spread":
        p10, median, p90 = np.percentile(values, (10, 50, 90))
        return cls(float(median), float(p10), float(p90))


def take_turns(
    timed: Mapping[Name, Timed],
    rounds: int,
    rng: np.random.Generator,
    before: Callable[[], None] = lambda: None,
) -> dict[Name, np.ndarray]:
    """Lets things take turns of about a millisecond.

    Args:
      timed: by name.
      rounds: turns of each.
      rng: draws their order in a round.
      before: called at the start of each round.

    Returns:
      The median seconds of each turn ``[rounds]``, by name.
    """
    runs = {
        name: int(np.clip(_TURN_SECONDS / run(2).min(), _MIN_RUNS, _MAX_RUNS))
        for name, run in timed.items()
    }
    seconds: dict[Name, list[float]] = {name: [] for name in timed}
    names = list(timed)
    for _ in range(rounds):
        before()
        for index in rng.permutation(len(names)):
            name = names[index]
            # the first brings weights and images back into the cache
            taken = timed[name](1 + runs[name])[1:]
            seconds[name].append(float(np.median(taken)))
    return {name: np.array(taken) for name, taken in seconds.items()}


def in_litert(layer: tf_keras.layers.Layer, images: np.ndarray) -> "LiteRTLayer":
    """Returns a layer with random weights in LiteRT, which sees these images."""
    model = tf_keras.Sequential(
        [tf_keras.layers.Input(images.shape[1:], len(images)), layer]
    )
    random_weights.randomize(model)
    return LiteRTLayer(convert.convert_to_tflite(model), images)


class LiteRTLayer:
    """A layer in LiteRT, one thread."""

    def __init__(self, content: bytes, images: np.ndarray):
        module = interpreter.module_of("litert")
        self._loaded = module.Interpreter(model_content=content, num_threads=1)
        self._loaded.allocate_tensors()
        self._loaded.set_tensor(self._loaded.get_input_details()[0]["index"], images)

    def __call__(self) -> np.ndarray:
        """Returns the output."""
        self._loaded.invoke()
        output = self._loaded.get_output_details()[0]["index"]
        return self._loaded.get_tensor(output)

    def seconds(self, runs: int) -> np.ndarray:
        """Returns the seconds of so many runs."""
        return seconds_of(self._loaded.invoke, runs)


def require_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Raises ValueError unless a kernel computes what it should."""
    error = np.abs(found - expected).max() / np.abs(expected).max()
    if not error <= _TOLERANCE:
        raise ValueError(
            f"{what} is {error:.1e} off; expected {_TOLERANCE:.0e} at most."
        )


def seconds_of(call: Callable[[], Any], runs: int) -> np.ndarray:
    """Returns the seconds of so many calls."""
    found = np.empty(runs)
    for run in range(runs):
        start = time.perf_counter_ns()
        call()
        found[run] = (time.perf_counter_ns() - start) / 1e9
    return found
