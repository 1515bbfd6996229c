import base64
import dataclasses
import json
import re

import rich.console

from tfmot_onexn.benchmark import machine, report
from tfmot_onexn.benchmark.rows import Agreement, Row

ROWS = [
    Row(
        "a.tflite",
        variant="dense",
        sparsity=0.0,
        nonzero_macs=301_000_000,
        size_bytes=13_980_000,
        median_ms=3.2,
        p10_ms=3.1,
        p90_ms=3.3,
        top1=0.969,
        speedup=1.0,
        runtime="litert",
    ),
    Row(
        "b.tflite",
        variant="onexn",
        n=4,
        rearrange="swaps",
        sparsity=0.5,
        median_ms=2.0,
        p10_ms=1.9,
        p90_ms=2.4,
        speedup=1.6,
        runtime="litert",
        status="noisy",
    ),
    Row("c.tflite", status="failed", error="c.tflite is <damaged>", runtime="litert"),
]


def printed(show, *arguments, width=100):
    console = rich.console.Console(width=width)
    with console.capture() as captured:
        show(console, *arguments)
    return captured.get()


def test_the_table_shows_numbers_noise_and_failures():
    text = printed(report.show, "Title", ROWS, width=160)
    assert re.search(
        r"dense .* 96.9 % .* 0 % .* 301 .* 13.98 .* 3.20 \(3.10–3.30\)", text
    )
    assert re.search(
        r"1×4 rearranged .* – .* 50 % .* 2.00 \(1.90–2.40\) noisy .* 1.60×", text
    )
    assert "failed: c.tflite is <damaged>" in text
    assert "runtime" not in text


def test_the_runtime_is_shown_where_there_are_several():
    other = Row("d.tflite", variant="dense", median_ms=1.0, p10_ms=1.0, p90_ms=1.0)
    other.runtime = "tf_lite"
    text = printed(report.show, "Title", [ROWS[0], other])
    assert "runtime" in text
    assert "tf_lite" in text


def test_agreement_is_shown_with_its_verdict():
    agreements = [Agreement("1×4 50%", 2e-6, 0.8), Agreement("weight 50%", 1e-3, 0.8)]
    text = printed(report.show_agreement, agreements)
    assert re.search(r"1×4 50% .* 2.0e-06 .* 8.0e-01 .* ok", text)
    assert re.search(r"weight 50% .* DIFFERS", text)


def test_the_report_is_three_files_and_the_page_needs_no_other(tmp_path):
    written = report.write(
        tmp_path / "report",
        "A <title>",
        machine.describe(),
        ROWS,
        notes=["One & only note"],
        documented=ROWS[:1],
        seconds=3,
    )
    assert [path.name for path in written] == [
        "report.json",
        "report.png",
        "report.html",
    ]
    document = json.loads(written[0].read_text())
    assert len(document["rows"]) == 1
    assert document["seconds"] == 3
    picture = written[1].read_bytes()
    assert picture.startswith(b"\x89PNG")
    page = written[2].read_text()
    assert base64.b64encode(picture).decode() in page
    assert "A &lt;title&gt;" in page
    assert "One &amp; only note" in page
    assert "&lt;damaged&gt;" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "LiteRT 2.3" in page


def test_tvm_beside_one_runtime_of_tflite_needs_no_column():
    ours = dataclasses.replace(ROWS[1], runtime="tvm_vm", artifact="b.so")
    plan = dataclasses.replace(ours, runtime="tvm_plan")
    text = printed(report.show, "Title", [*ROWS, ours, plan], width=160)
    assert "1×4 rearranged in TVM" in text
    assert "1×4 rearranged as a TVM plan" in text
    assert "runtime" not in text


def test_a_line_stands_between_networks_that_run_in_several_ways():
    def lines(rows):
        text = printed(report.show, "Title", rows, width=160)
        return sum(line.startswith("├") for line in text.splitlines())

    plan = dataclasses.replace(ROWS[1], runtime="tvm_plan")
    assert lines(ROWS[:2]) == 0
    assert lines([ROWS[0], ROWS[1], plan]) == 1


def test_a_report_is_drawn_as_it_is_asked_to_be(tmp_path):
    written = report.write(
        *(tmp_path, "Title", machine.describe(), ROWS), draw=lambda rows: b"drawn"
    )
    assert written[1].read_bytes() == b"drawn"
