import json

import chain_library
import pytest

from tfmot_onexn.benchmark import delegate_kernels
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments import tables
from tfmot_onexn.experiments.speed import delegate_speed, kernel_speed, model_speed
from tfmot_onexn.experiments.speed.model_speed import Plan

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}
README = "# Title\n\n{}\nold\n{}\n\nmore\n".format(*delegate_speed.MARKERS)


@pytest.fixture(scope="module")
def library():
    return str(chain_library.path())


@pytest.fixture
def small(monkeypatch, small_mobilenet):
    """Trials of small networks and shapes."""
    plans = (
        Plan("mobilenet", ((8, 0.75),), loads=1, **SMALL),
        Plan("mobilenet", ((1, 0.3),), gate=True, loads=0, **SMALL),
    )
    shapes = [Shape("first", 4, 4, 8, 8), Shape("second", 14, 14, 64, 64)]
    monkeypatch.setattr(model_speed, "QUICK", plans)
    monkeypatch.setattr(kernel_speed, "default_shapes", lambda: shapes)


def test_all_of_it_is_printed_and_written(library, small, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    arguments = ["--quick", "--library", library, "--out", str(tmp_path / "out")]
    delegate_speed.main([*arguments, "--readme", str(readme)])
    printed = capsys.readouterr().out
    for title in ("GMAC/s and share", "1×1 conv", "Networks", "Peak memory", "little"):
        assert title in printed
    document = json.loads((tmp_path / "out" / "delegate_speed.json").read_text())
    assert document["schema"] == 1
    assert document["machine"]["cpu"]
    isas = delegate_kernels.Library(library).isas()
    narrow = len(isas) > 1
    assert len(document["rows"]) == (6 if narrow else 5) + 3
    assert {row["status"] for row in document["rows"]} <= {"ok", "noisy"}
    assert len(document["kernels"]) == 2 * len(isas)
    for each in document["kernels"]:
        assert each["shape"]["name"] == "second"
        assert each["gmacs"]["median"] > 0
    (pruned, gate) = document["comparisons"]
    assert (pruned["gate"], gate["gate"]) == (False, True)
    assert pruned["delegate"]["low"] <= pruned["delegate"]["value"]
    assert (pruned["n"], gate["n"], gate["narrow"]) == (8, 1, None)
    (loads,) = document["loads"]
    assert loads["delegate"]["peak_mb"] > 0
    text = readme.read_text()
    assert "old" not in text
    assert text.startswith("# Title\n\n<!-- bench-delegate -->\n| network | N |")
    assert text.endswith("<!-- /bench-delegate -->\n\nmore\n")
    assert "\n| mobilenet | 8 | 75 % | " in text
    assert document["machine"]["date"] in text
    assert document["machine"]["cpu"] in text


def test_a_part_alone(library, small, tmp_path, capsys):
    arguments = ["--quick", "--library", library, "--out", str(tmp_path)]
    delegate_speed.main([*arguments, "--parts", "kernels"])
    assert "Networks" not in capsys.readouterr().out
    document = json.loads((tmp_path / "delegate_speed.json").read_text())
    assert (document["rows"], document["comparisons"]) == ([], [])
    assert document["kernels"]


def test_a_readme_needs_all_parts(capsys):
    with pytest.raises(SystemExit):
        delegate_speed.main(["--parts", "models", "--readme", "README.md"])
    assert "--readme needs all parts" in capsys.readouterr().err


def test_the_readme_of_the_project_has_a_place_for_the_tables(pytestconfig, tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text((pytestconfig.rootpath / "README.md").read_text())
    tables.replace_between(copy, delegate_speed.MARKERS, "new")
