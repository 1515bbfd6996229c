"""The moments of what a unit reads and of what it should make."""

import numpy as np

from tfmot_onexn.pruning.calibration.samples import Rows, Taps
from tfmot_onexn.sparsity import least_squares

# filters whose output hardly varies are not blown up without limit
_SMALLEST_VARIANCE = 1e-4
# samples whose temporaries stay in a processor's caches
_CHUNK = 512
# with fewer, the pull to the dense weights is stronger
_SAMPLES_PER_CHANNEL = 3


class RowStatistics:
    """Second moments of rows, about the mean where a bias can hold it.

    Attributes:
      inputs_sk: ``[samples, K]``, less their mean.
      targets_sm: ``[samples, M]``, less their mean.
      mean_k: of the inputs, 0 where no bias can hold what it makes.
      mean_m: of the targets, likewise.
      centred: whether they are less their mean.
      gram_kk: of the inputs ``[K, K]``.
      ridge: strength of the pull to the dense weights, in units of the Gram matrix;
        the more the fewer samples there are.
    """

    def __init__(self, rows: Rows, ridge: float, *, centred: bool):
        """Takes over the rows, which it changes.

        Args:
          rows: of the unit.
          ridge: as a share of the mean square of the inputs.
          centred: whether the unit has a bias.
        """
        self.inputs_sk, self.targets_sm = rows.inputs_sk, rows.targets_sm
        self.mean_k = np.zeros(self.inputs_sk.shape[1], np.float32)
        self.mean_m = np.zeros(self.targets_sm.shape[1], np.float32)
        self.centred = centred
        if centred:
            self.mean_k = self.inputs_sk.mean(axis=0)
            self.mean_m = self.targets_sm.mean(axis=0)
            self.inputs_sk -= self.mean_k
            self.targets_sm -= self.mean_m
        self.gram_kk = self.inputs_sk.T @ self.inputs_sk / len(self.inputs_sk)
        samples, channels = self.inputs_sk.shape
        # a classifier sees one sample per image, too few to tell its weights by
        few = max(1.0, _SAMPLES_PER_CHANNEL * channels / samples)
        self.ridge = few * ridge * max(float(np.diag(self.gram_kk).mean()), 1e-12)

    @property
    def ridged_kk(self) -> np.ndarray:
        """The Gram matrix with the ridge on its diagonal, positive definite."""
        return self.gram_kk + self.ridge * np.eye(len(self.gram_kk), dtype=np.float32)

    def cross(self, targets_sm: np.ndarray) -> np.ndarray:
        """Returns ``E[x y^T]`` ``[K, M]``."""
        return self.inputs_sk.T @ targets_sm / len(targets_sm)

    def clipped_moments(
        self, kernel_km: np.ndarray, mean_m: np.ndarray, bounds: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what `mean_m` and `cross` are of targets past a clipping.

        Args:
          kernel_km: of the prediction; see `least_squares.past_clipping`.
          mean_m: of the prediction.
          bounds: of the clipping.

        Returns:
          The mean ``[M]``, as given if the rows are not centred, and ``[K, M]``.
        """
        cross_km = np.zeros(kernel_km.shape, np.float32)
        sums_m = np.zeros(self.mean_m.shape, np.float64)
        for start in range(0, len(self.inputs_sk), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            wanted_sm = least_squares.past_clipping(
                self.inputs_sk[chunk] @ kernel_km + mean_m,
                self.targets_sm[chunk] + self.mean_m,
                bounds,
            )
            wanted_sm -= self.mean_m
            sums_m += wanted_sm.sum(axis=0)
            cross_km += self.inputs_sk[chunk].T @ wanted_sm
        samples = len(self.inputs_sk)
        if self.centred:
            mean_m = (self.mean_m + sums_m / samples).astype(np.float32)
        return mean_m, cross_km / samples

    def fit(self, kernel_km: np.ndarray) -> np.ndarray:
        """Returns the least-squares fit ``[K, M]`` of a kernel without zeros."""
        right_km = self.cross(self.targets_sm) + self.ridge * kernel_km
        return np.linalg.solve(self.ridged_kk, right_km)

    def deviation(self) -> np.ndarray:
        """Returns the standard deviation of the targets ``[M]``, never 0."""
        variance_m = (self.targets_sm**2).mean(axis=0)
        floor = max(_SMALLEST_VARIANCE * float(variance_m.mean()), 1e-20)
        return np.sqrt(np.maximum(variance_m, floor))

    def moments(self, kernel_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and variance ``[M]`` of what a kernel makes."""
        variance_m = np.einsum("km,km->m", kernel_km, self.gram_kk @ kernel_km)
        return self.mean_k @ kernel_km, np.maximum(variance_m, 0)

    def error(self, kernel_km: np.ndarray) -> float:
        """Returns the mean square error over the targets' variance."""
        lacking = self.targets_sm - self.inputs_sk @ kernel_km
        total = float((self.targets_sm**2).mean())
        return float((lacking**2).mean()) / total if total else 0.0


class TapStatistics:
    """The same of a depthwise convolution.

    Attributes:
      windows_cst: ``[C, samples, T + 1]``, the last place a constant 1.
      targets_cs: ``[C, samples]``.
      gram_ctt: second moments of the windows.
    """

    def __init__(self, taps: Taps):
        self.windows_cst, self.targets_cs = taps.windows_cst, taps.targets_cs
        samples = self.targets_cs.shape[1]
        transposed_cts = self.windows_cst.swapaxes(1, 2)
        self.gram_ctt = transposed_cts @ self.windows_cst / samples

    def cross(self, targets_cs: np.ndarray) -> np.ndarray:
        """Returns ``E[x y]`` ``[C, T + 1]``."""
        sums_ct = (targets_cs[:, None, :] @ self.windows_cst)[:, 0]
        return sums_ct / targets_cs.shape[1]

    def predict(self, taps_tc: np.ndarray, bias_c: np.ndarray) -> np.ndarray:
        """Returns what taps ``[T, C]`` and biases make ``[C, samples]``."""
        weights_ct = np.vstack([taps_tc, bias_c]).T
        return (self.windows_cst @ weights_ct[:, :, None])[:, :, 0]

    @property
    def target_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance ``[C]`` of the targets."""
        return self.targets_cs.mean(axis=1), self.targets_cs.var(axis=1)

    def moments(self, taps_tc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and variance ``[C]`` of what taps ``[T, C]`` make."""
        made_cs = self.predict(taps_tc, np.zeros(taps_tc.shape[1], np.float32))
        return made_cs.mean(axis=1), made_cs.var(axis=1)

    def error(self, taps_tc: np.ndarray, bias_c: np.ndarray) -> float:
        """Returns the mean square error over the targets' variance."""
        lacking_cs = self.targets_cs - self.predict(taps_tc, bias_c)
        total = float(self.target_moments[1].mean())
        return float((lacking_cs**2).mean()) / total if total else 0.0
