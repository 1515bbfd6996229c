import dataclasses

import pytest

from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.experiments.speed import tile_defaults
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.experiments.speed.tile_defaults import Tried
from tfmot_onexn.tvm import kernel_bench, tiles, tuning_database

SMALL = Plan("mobilenet", ((8, 0.5),), size=32, alpha=0.25, rounds=2, runs=2)
FASTER, NOT_FASTER = Ratio(1.1, 1.05, 1.2), Ratio(1.1, 0.99, 1.2)


def test_what_makes_networks_faster_and_none_slower_is_kept():
    def tried(gain, *keys):
        return Tried("m", 1.0, gain, frozenset(keys))

    found = tile_defaults.kept_signatures(
        [
            tried(FASTER, "good", "both", "twice"),
            tried(NOT_FASTER, "both", "bad"),
            tried(FASTER, "twice"),
        ]
    )
    assert found == ["good", "twice"]


@pytest.fixture
def measured(tmp_path, monkeypatch, small_mobilenet):
    """Tunes a small network, each kernel of which is faster with another tile."""
    monkeypatch.setattr(
        kernel_bench.Loaded,
        "seconds",
        lambda self, name: (2e-6, 4e-6) if name == "tile_0" else (1e-6, 2e-6),
    )
    ratios = iter([FASTER, NOT_FASTER])
    monkeypatch.setattr(tile_defaults.paired, "ratio", lambda own, tuned: next(ratios))
    path = tmp_path / "tuned.json"
    path.write_text("{}")
    return tile_defaults.measure([SMALL], path, quick=True), path


@pytest.mark.slow
def test_files_run_with_tuned_tiles_and_without(measured):
    tried, path = measured
    assert ["dense" in each.name for each in tried] == [True, False]
    assert all(each.own_ms > 0 and each.signatures for each in tried)
    [(isa, entries)] = tuning_database.load(path).entries.items()
    assert isa in tiles.ISAS
    dense, pruned = (each.signatures for each in tried)
    assert set(entries) == dense - pruned
    for choice in entries.values():
        assert choice.applied(tiles.ISAS[isa]) != tiles.ISAS[isa]


def test_what_is_printed(monkeypatch, tmp_path, capsys):
    asked = []
    tried = Tried("m", 1.5, FASTER, frozenset(["a", "b"]))

    def given(plans, out, quick, track):
        asked.append((plans, out, quick))
        return [tried, dataclasses.replace(tried, gain=NOT_FASTER)]

    monkeypatch.setattr(tile_defaults, "measure", given)
    tile_defaults.main(["--quick", "--out", str(tmp_path / "t.json")])
    tile_defaults.main([])
    assert asked == [
        (tile_defaults.QUICK, tmp_path / "t.json", True),
        (tile_defaults.PLANS, tuning_database.SHIPPED, False),
    ]
    output = capsys.readouterr().out
    assert "1.10× (1.05–1.20)" in output
    assert "left out" in output
