import json

import chain_library
import pytest

from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments import tables
from tfmot_onexn.experiments.speed import (
    break_even,
    depthwise_speed,
    kernel_speed,
    tvm_models,
    tvm_speed,
)
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.pruning.variants import Variant

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}


@pytest.fixture
def small(monkeypatch, small_mobilenet):
    """Trials of a small network and two shapes."""
    rivals = (Variant("weight", 0.75),)
    plans = (Plan("mobilenet", ((16, 0.75),), rivals=rivals, **SMALL),)
    shapes = [Shape("first", 4, 4, 8, 8), Shape("second", 14, 14, 64, 64)]
    depthwise = [depthwise_speed.DepthwiseShape(8, 16)]
    monkeypatch.setattr(tvm_models, "QUICK", plans)
    monkeypatch.setattr(break_even, "QUICK", Plan("mobilenet", ((8, 0.3),), **SMALL))
    monkeypatch.setattr(kernel_speed, "default_shapes", lambda: shapes)
    monkeypatch.setattr(depthwise_speed, "default_shapes", lambda _: depthwise)


def test_what_is_printed_and_written(small, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("{}\nold\n{}\n".format(*tvm_speed.MARKERS))
    arguments = ["--quick", "--library", str(chain_library.path())]
    arguments += ["--out", str(tmp_path)]
    tvm_speed.main([*arguments, "--readme", str(readme)])
    printed = capsys.readouterr().out
    for title in (
        *("GMAC/s and share", "1×1 conv", "Depthwise conv", "Networks built with TVM"),
        *("Blocks beside other ways", "Few zeros in mobilenet", "breaks even"),
    ):
        assert title in printed
    document = json.loads((tmp_path / "tvm_speed.json").read_text())
    assert len(document["rows"]) == 10 + 3
    assert {row["status"] for row in document["rows"]} <= {"ok", "noisy"}
    assert [each["n"] for each in document["comparisons"]] == [None, 16]
    (rival,) = document["rivals"]
    assert rival["method"] == "weight"
    assert rival["over_rival"]["low"] <= rival["over_rival"]["value"]
    points = document["break_even"]["points"]
    assert [each["sparsity"] for each in points] == [0.0, 0.3]
    assert set(document["break_even"]["litert"]) == {"sparsity", "at_most"}
    kernels = json.loads((tmp_path / "tvm_kernels.json").read_text())
    assert [(each["n"], each["sparsity"]) for each in kernels["kernels"]] == [
        *((None, 0.0), (16, 0.75), (1, 0.75)),
    ]
    assert {each["shape"]["name"] for each in kernels["kernels"]} == {"second"}
    assert len(kernels["depthwise"]) == 1
    text = readme.read_text()
    assert "old" not in text
    assert "| mobilenet | 16 | 75 % |" in text
    assert "| mobilenet | 75 % | 1×16 |" in text
    assert "\n| 1 (CSR) | 75 % | 1 |" in text
    assert "\n| 3×3 | 1 | 1 |" in text
    assert "Again: `make bench-tvm`" in text


def test_kernels_alone(small, tmp_path, capsys):
    arguments = ["--quick", "--library", str(chain_library.path())]
    tvm_speed.main([*arguments, "--out", str(tmp_path), "--parts", "kernels"])
    assert "Networks" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["tvm_kernels.json"]


def test_a_readme_needs_all_parts(capsys):
    with pytest.raises(SystemExit):
        tvm_speed.main(["--parts", "models", "--readme", "README.md"])
    assert "--readme needs all parts" in capsys.readouterr().err


def test_the_readme_of_the_project_has_a_place_for_the_table(pytestconfig, tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text((pytestconfig.rootpath / "README.md").read_text())
    tables.replace_between(copy, tvm_speed.MARKERS, "new")
