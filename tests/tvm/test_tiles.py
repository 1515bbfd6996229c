import dataclasses

import pytest

from tfmot_onexn.tvm import tiles


@pytest.mark.parametrize("tile", [tiles.AVX512, tiles.AVX2, tiles.NEON64, tiles.NEON32])
@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_sums_weights_and_an_input_fit_the_registers(tile, width):
    vectors = max(1, width // tile.lanes)
    assert 1 <= tile.pixels(width) <= 28
    assert tile.pixels(width) * vectors + vectors + 2 <= tile.registers


def test_what_fits():
    assert tiles.AVX512.pixels(16) == 28
    assert tiles.AVX2.pixels(16) == 6
    assert tiles.NEON64.pixels(16) == 6
    assert tiles.NEON64.pixels(4) == 28


def test_a_tuned_tile_takes_no_more_than_fits():
    assert dataclasses.replace(tiles.AVX512, most_pixels=14).pixels(16) == 14
    assert dataclasses.replace(tiles.AVX2, most_pixels=14).pixels(16) == 6


def test_pixels_share_sets_of_the_cache():
    # 2048 bytes apart: two of 64 sets, of 12 lines each
    assert tiles.AVX512.resident(512) == 24
    assert tiles.AVX512.resident(1024) == 12
    assert tiles.AVX2.resident(1024) == 8
    # 60 lines apart: every fourth set
    assert tiles.AVX512.resident(960) == 12 * 16
    assert tiles.AVX512.resident(24) == 12 * 64


@pytest.mark.parametrize("name", tiles.ISAS)
def test_a_tile_tells_its_isa(name):
    assert tiles.isa(tiles.ISAS[name]) == name
