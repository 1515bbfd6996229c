import contextlib
import dataclasses
import itertools
import warnings

import numpy as np
import pytest
import tvm
import tvm_kernels
import tvm_networks

from tfmot_onexn.tvm import kernel_bench, processors, tune
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.pointwise import Softmax
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window

TILE = tvm_kernels.TILES["avx512"]
PRODUCT = Product((1, 4, 5, 16), 9, 16, 4)
DEPTHWISE = Depthwise(Window(1, 6, 9, (3, 3), padding=(1, 1, 1, 1)), 8)
OWN = "tile_0"
COMPILED = {}


class Bench(kernel_bench.Local):
    """Runs kernels, and takes their times from a function of name and turn."""

    def __init__(self, seconds):
        super().__init__(processors.processor("host")[0])
        self._seconds = seconds
        self.timed = []

    @contextlib.contextmanager
    def load(self, functions, arrays):
        loaded = kernel_bench.Loaded(self._compiled(functions), tvm.cpu(), arrays)
        loaded.seconds = self._time
        self.timed.append([])
        yield loaded

    def _compiled(self, functions):
        """Compiles kernels that another test has not."""
        module = tvm.IRModule(dict(functions))
        key = module.script()
        if key not in COMPILED:
            COMPILED[key] = tvm.compile(module, self._target).jit()
        return COMPILED[key]

    def _time(self, name):
        self.timed[-1].append(name)
        found = self._seconds(name, self.timed[-1].count(name))
        return found if isinstance(found, tuple) else (found, 2 * found)


def tuned(seconds, kernel=PRODUCT, **options):
    bench = Bench(seconds)
    [found] = tune.tune([kernel], TILE, bench, **options)
    return found, bench.timed[0]


def test_the_fastest_tile_is_chosen():
    microseconds = {OWN: 10, "tile_2": 8}
    found, timed = tuned(lambda name, turn: 1e-6 * microseconds.get(name, 9))
    assert found.signature == "product 20x9>16 n16 1/2"
    assert found.choice.default_us == pytest.approx(10)
    assert found.choice.best_us == pytest.approx(8)
    assert found.choice.gain == pytest.approx(1.25)
    assert found.choice.applied(TILE) == tune.candidates(PRODUCT, TILE)[2]
    assert set(timed) == {f"tile_{i}" for i in range(found.tried)}


@pytest.mark.parametrize("others", [9.8e-6, 10e-6, 12e-6])
def test_the_processors_tile_stays_without_a_clear_gain(others):
    found, _ = tuned(lambda name, turn: 10e-6 if name == OWN else others)
    assert found.choice.tile == {}
    assert (found.choice.gain, found.choice.best_us) == (1, found.choice.default_us)


def test_a_gain_that_does_not_come_again_does_not_count():
    # in the first measurement only
    found, _ = tuned(
        lambda name, turn: 5e-6 if name == "tile_1" and turn <= 8 else 10e-6
    )
    assert found.choice.tile == {}


@pytest.mark.parametrize("fast", [0, 1])
def test_a_gain_counts_in_the_cache_and_outside(fast):
    def seconds(name, turn):
        times = [10e-6, 20e-6]
        if name == "tile_1":
            times[fast] /= 2
        if name == "tile_2":
            times = [9e-6, 19e-6]
        return tuple(times)

    found, _ = tuned(seconds)
    assert found.choice.gain == pytest.approx(20 / 19)
    assert found.choice.applied(TILE) == tune.candidates(PRODUCT, TILE)[2]


def test_a_disturbance_of_some_rounds_chooses_nothing():
    rng = np.random.default_rng(0)
    found, _ = tuned(lambda name, turn: 10e-6 * (1 + 9 * (rng.random() < 0.1)))
    assert found.choice.tile == {}


def test_hopeless_tiles_are_timed_once():
    found, timed = tuned(
        lambda name, turn: 90e-6 if name == "tile_1" else 10e-6, quick=True
    )
    assert timed.count("tile_1") == found.tried - (found.tried - 1)
    assert timed.count("tile_2") > 1


@dataclasses.dataclass(frozen=True)
class Wrong(Product):
    """Computes one tile as if its input had other channels."""

    def function(self, name, tile):
        if tile.most_pixels == 7:
            wrong = dataclasses.replace(self, steps=(tvm_kernels.Scalar("add", 1e-3),))
            return Product.function(wrong, name, tile)
        return super().function(name, tile)


def test_a_wrong_tile_is_out_however_fast(rng):
    kernel = Wrong(**dataclasses.asdict(PRODUCT))
    tiles = tune.candidates(kernel, TILE)
    [wrong] = [f"tile_{i}" for i, each in enumerate(tiles) if each.most_pixels == 7]
    with pytest.warns(UserWarning, match=r"product 20x9>16 n16 1/2 computes something"):
        found, timed = tuned(
            lambda name, turn: 1e-6 if name == wrong else 10e-6, kernel
        )
    assert found.choice.tile == {}
    assert wrong not in timed


def test_what_lies_between_pixels_is_left_alone():
    apart = dataclasses.replace(PRODUCT, y_pitch=24)
    found, timed = tuned(lambda name, turn: 1e-6, apart)
    # no tile is out
    assert set(timed) == {f"tile_{i}" for i in range(found.tried)}


def test_a_tile_that_writes_elsewhere_is_out():
    right, spilled = (np.full(6, np.nan, np.float32) for _ in range(2))
    right[:4] = spilled[:5] = 1
    assert tune._agrees(right, right)
    assert not tune._agrees(spilled, right)
    assert not tune._agrees(right, spilled)


def test_kernels_with_the_same_signature_share_a_choice():
    more = dataclasses.replace(PRODUCT, steps=(tvm_kernels.Clip(0.0, 6.0),))
    bench = Bench(lambda name, turn: 1e-6)
    shown = []

    def track(items, total, description):
        shown.append((total, description))
        return items

    kernels = [PRODUCT, Softmax((1, 9)), more, DEPTHWISE]
    found = tune.tune(kernels, TILE, bench, quick=True, track=track)
    assert [each.signature.split()[0] for each in found] == ["product", "depthwise"]
    assert shown == [(2, "Tuning")]


def test_arrays_have_blocks_where_the_kernel_may_read(rng):
    kernel = Product((1, 2, 2, 12), 5, 4, 7)
    x, data, indices, indptr, _, y = tune.arrays(
        kernel, kernel.function("k", TILE), rng
    )
    assert (x.shape, data.shape, y.shape) == ((1, 2, 2, 5), (7, 1, 4), (1, 2, 2, 12))
    assert (indptr[0], indptr[-1], len(indptr)) == (0, 7, 4)
    assert indices.dtype == indptr.dtype == np.int32
    for begin, end in itertools.pairwise(indptr):
        row = indices[begin:end]
        assert sorted(set(row)) == list(row)
        assert np.all((row >= 0) & (row < 5))


@pytest.mark.slow
def test_a_real_search_on_this_machine():
    target, tile = processors.processor("host")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tune.tune(
            [PRODUCT, DEPTHWISE], tile, kernel_bench.Local(target), quick=True
        )
    assert len(found) == 2
    for each in found:
        assert each.choice.default_us > 0
        assert each.choice.gain == 1 or each.choice.gain >= tune.LEAST_GAIN


@pytest.mark.slow
def test_the_kernels_of_a_network(tmp_path):
    path = tvm_networks.file_of(tmp_path, "mobilenet", 16)
    kernels = tune.kernels_of(path, TILE)
    assert sum(isinstance(kernel, Depthwise) for kernel in kernels) == 13
