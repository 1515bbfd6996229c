"""``onexn experiment``."""

import dataclasses
import json

import pytest
from paper_results import tiny_mobilenet

from tfmot_onexn import cli
from tfmot_onexn.cli import experiment as command
from tfmot_onexn.experiments.papers import registry, settings
from tfmot_onexn.networks import models


def run(*arguments):
    return cli.main(cli.parse(["onexn", "experiment", *map(str, arguments)]))


@pytest.fixture
def small_networks(monkeypatch):
    """Lets --quick train tiny networks, for an epoch."""
    for name in settings.QUICK.networks:
        monkeypatch.setitem(models.NETWORKS, name, tiny_mobilenet)
    short = {"train_images": 256, "dense_epochs": 1, "tuning_epochs": 1}
    quick = dataclasses.replace(settings.QUICK, **short)
    monkeypatch.setitem(settings.SETTINGS, "quick", quick)


def test_the_help_knows_every_experiment():
    summaries = {name: each.summary for name, each in registry.EXPERIMENTS.items()}
    assert summaries == command._NAMES


@pytest.mark.slow
def test_a_quick_experiment_writes_its_page_and_goes_on(
    small_networks, tmp_path, capsys
):
    arguments = ("table1", "--quick", "--out", tmp_path, "--processes", 1)
    assert run(*arguments) == 0
    page = tmp_path / "table1.html"
    assert str(page) in capsys.readouterr().out
    assert "swaps over" in page.read_text()
    document = json.loads((tmp_path / "table1.json").read_text())
    assert document["values"]["1×4"]["swaps"]
    (tmp_path / "table1.png").unlink()
    count = len(list((tmp_path / "jobs").glob("*.json")))
    assert count == 1 + 2 * 3
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "jobs").iterdir()}
    assert run(*arguments) == 0
    assert (tmp_path / "table1.png").exists()
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "jobs").iterdir()}


def test_it_may_be_narrowed(small_networks, tmp_path):
    document = tmp_path / "document.md"
    document.write_text("<!-- balance -->\n<!-- /balance -->\n")
    arguments = ("balance", "--quick", "--out", tmp_path, "--into", document)
    narrow = ("--networks", "mobilenet_v2", "mobilenet", "--sizes", 16)
    assert run(*arguments, *narrow, "--processes", 1) == 0
    page = document.read_text()
    assert "mobilenet_v2 1×16" in page
    assert "1×4" not in page
    assert "balance --quick --networks mobilenet_v2 mobilenet --sizes 16`" in page


def test_tables_may_go_into_a_document(small_networks, tmp_path):
    document = tmp_path / "document.md"
    document.write_text("<!-- fig2b -->\n<!-- /fig2b -->\n")
    arguments = ("fig2b", "--quick", "--out", tmp_path, "--into", document)
    assert run(*arguments, "--processes", 1) == 0
    assert "| layer |" in document.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fig4", "--setting", "papers"], "give a folder of train/class"),
        (["fig4", "--quick", "--seeds", 0, "--processes", 0], "at least 1"),
        (["fig4", "--weights", "mobilenet"], "NETWORK:ALPHA=FILE"),
        (["fig4", "--weights", "vgg=a.npz"], "found 'vgg=a.npz'"),
        (["fig4", "--weights", "mobilenet:wide=a.npz"], "is no number"),
        (["fig4", "--quick", "--data", "nowhere"], "No data at 'nowhere'"),
        (
            ["fig4", "--networks", "vgg"],
            "--networks takes some of mobilenet, ",
        ),
        (["fig4", "--quick", "--sizes", 3], "--sizes takes some of 4, 16; found 3"),
        (
            ["fig2b", "--networks", "mobilenet"],
            "needs mobilenet_v2 too; found ",
        ),
        (["balance", "--sizes", 2, 8], "is of N = 4 and 16; found 2, 8"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(arguments, message, tmp_path, capsys):
    assert run("--processes", 1, *arguments, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_an_unknown_name_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("table3")
    assert stopped.value.code == 2
    assert "invalid choice: 'table3'" in capsys.readouterr().err
