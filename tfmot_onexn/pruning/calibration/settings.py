"""What pruning after training needs and how thorough it is."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tf_keras

RESOLVE = ("all", "pruned", "batch_norm", "none")


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What became of a layer.

    Attributes:
      name: of the layer.
      sparsity: share of its blocks that are zero; 0 if it is not pruned.
      error: mean square of what its output before the activation lacks to the dense
        network's, over the variance of that.
    """

    name: str
    sparsity: float
    error: float


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Images without labels, and what is done with them.

    Attributes:
      images: ``[count, ...]`` as the model takes them, preprocessed.
      count: how many of them are used, chosen by the seed; all if there are fewer.
      pixels: places of each image at which a feature map is looked at.
      ridge: how strongly weights are pulled to the dense ones, as a share of the mean
        square of the layer's inputs.
      relu_steps: times that weights are solved again past a ReLU, which hides errors.
      second_order: choose blocks by what the output loses; else by the saliency that
        the function is given.
      resolve: what gets new weights: "all" (pruned kernels, depthwise and other 1x1
        kernels), "pruned" (pruned kernels alone), "batch_norm" (statistics alone, to
        match the dense network's), or "none".
      seed: of the choice of images and places.
      batch_size: images that are computed at once.
      on_layer: called with the `LayerReport` of each layer that is done.
      verbose: show a progress bar on a terminal.

    Raises:
      ValueError: if a value does not fit.
    """

    images: np.ndarray
    count: int = 512
    pixels: int = 64
    ridge: float = 0.1
    relu_steps: int = 5
    second_order: bool = True
    resolve: str = "all"
    seed: int = 0
    batch_size: int = 16
    on_layer: Callable[[LayerReport], None] | None = None
    verbose: bool = True

    def __post_init__(self) -> None:
        images = self.images
        if not isinstance(images, np.ndarray) or images.ndim < 2 or not len(images):
            found = getattr(images, "shape", type(images).__name__)
            raise ValueError(
                "Images to calibrate with are an array [count, height, width, "
                f"channels] as the model takes them, found {found}."
            )
        for name, least in (("count", 1), ("pixels", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"Calibration needs {name} of at least {least}, found "
                    f"{getattr(self, name)!r}."
                )
        if self.relu_steps < 0 or not self.ridge > 0:
            raise ValueError(
                "Calibration needs a ridge above 0 and relu_steps of at least 0, found "
                f"{self.ridge!r} and {self.relu_steps!r}."
            )
        if self.resolve not in RESOLVE:
            raise ValueError(
                f"Unknown resolve={self.resolve!r}; choose one of {list(RESOLVE)}."
            )

    def chosen_images(self, model: tf_keras.Model) -> np.ndarray:
        """Returns the images to use ``[<= count, ...]``, in the order they have.

        Raises:
          ValueError: if they are not what the model takes.
        """
        shapes = [tuple(tensor.shape) for tensor in model.inputs]
        fits = len(shapes) == 1 and len(shapes[0]) == self.images.ndim
        if not fits or any(
            size not in (None, found)
            for size, found in zip(shapes[0][1:], self.images.shape[1:], strict=True)
        ):
            raise ValueError(
                f"Model {model.name!r} takes {shapes}, the images to calibrate with "
                f"are {list(self.images.shape)}. Bring them to its input's shape."
            )
        rng = np.random.default_rng(self.seed)
        chosen = np.sort(rng.permutation(len(self.images))[: self.count])
        images = self.images[chosen]
        if not np.isfinite(images).all():
            raise ValueError(
                "Images to calibrate with must be finite; found NaN or infinity."
            )
        return images


def of(calibration: "Calibration | np.ndarray") -> Calibration:
    """Returns the settings, the usual ones for an array of images."""
    if isinstance(calibration, Calibration):
        return calibration
    return Calibration(calibration)
