import io
import json

import pytest
import rich.console
from paper_results import tiny_mobilenet

from tfmot_onexn.experiments import demo
from tfmot_onexn.networks import models


@pytest.mark.slow
@pytest.mark.usefixtures("short_search")
def test_the_main_job_from_training_to_the_report(tmp_path, monkeypatch):
    # other variants and a large network to time add minutes and no new path
    monkeypatch.setitem(models.NETWORKS, "mobilenet_v2", tiny_mobilenet)
    monkeypatch.setattr(demo, "VARIANTS", [demo.VARIANTS[i] for i in (0, 2, 4)])
    console = rich.console.Console(file=io.StringIO(), width=100)
    budget = demo.Budget(
        epochs=8, tuning_epochs=1, runs=3, timed_size=32, timed_alpha=0.35
    )
    rows = demo.run(tmp_path, budget=budget, console=console)
    assert [row.label for row in rows] == [
        *("dense", "filter", "1×4 rearranged", "1×4 rearranged + delegate")
    ]
    dense, filtered, rearranged, delegated = rows
    assert (delegated.delegate, delegated.top1) == ("onexn", rearranged.top1)
    # chance is 0.1
    assert dense.top1 > 0.6
    assert min(row.top1 for row in rows) > 0.3
    assert dense.size_bytes > rearranged.size_bytes > filtered.size_bytes
    assert all(row.images == 360 and row.median_ms > 0 for row in rows)
    document = json.loads((tmp_path / "report.json").read_text())
    # three of the digits' network, and six of the other
    assert [row["model"] for row in document["rows"]] == [
        *["mobilenet_v2_0.35_32"] * 3,
        *["mobilenet_v2"] * 6,
    ]
    for each in document["agreement"]:
        assert each["error"] <= 1e-5
        assert each["dense_error"] > 0.1 or each["label"].startswith("dense")
    text = console.file.getvalue()
    assert "Without the delegate a 1×N file runs at dense speed on x86" in text
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "report.png").exists()
