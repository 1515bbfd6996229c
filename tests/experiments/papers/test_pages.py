"""Pages on disk, on the terminal and in a document."""

import io
import json

import pytest
import rich.console

from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.tables import Table

PAGE = Page(
    "table9",
    "Table 9: <nothing>",
    (Table("one", ("a", "b"), (("1", "2"),)), Table("two", ("c",), (("3",),))),
    b"\x89PNG picture",
    "nothing",
    ("A note.",),
    {"x": 1},
)


def test_a_page_is_written_in_three_formats(tmp_path):
    written = PAGE.write(tmp_path / "out", "a machine; 2026-01-01")
    assert [path.name for path in written] == [
        "table9.json",
        "table9.png",
        "table9.html",
    ]
    document = json.loads(written[0].read_text())
    assert document["values"] == {"x": 1}
    assert document["machine"] == "a machine; 2026-01-01"
    assert written[1].read_bytes() == PAGE.picture
    html = written[2].read_text()
    assert "Table 9: &lt;nothing&gt;" in html
    assert html.count("<table>") == 2
    for part in ("<h2>two</h2>", "<td>3</td>", "A note.", "a machine"):
        assert part in html


def test_a_page_prints_its_tables_and_notes():
    out = io.StringIO()
    PAGE.show(rich.console.Console(file=out, width=60))
    for part in ("one", "two", "A note."):
        assert part in out.getvalue()


def test_tables_go_between_markers(tmp_path):
    path = tmp_path / "document.md"
    path.write_text("before\n<!-- table9 -->\nold\n<!-- /table9 -->\nafter\n")
    PAGE.put_into(path, "a machine; 2026-01-01")
    text = path.read_text()
    assert "old" not in text
    assert "**one**\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n" in text
    end = "A note.\n\na machine; 2026-01-01\n<!-- /table9 -->\nafter\n"
    assert text.endswith(f"![nothing](document/table9.png)\n\n{end}")
    assert (tmp_path / "document" / "table9.png").read_bytes() == PAGE.picture


def test_a_document_without_markers_is_refused(tmp_path):
    path = tmp_path / "document.md"
    path.write_text("nothing")
    with pytest.raises(ValueError, match=r"needs the line <!-- table9 -->"):
        PAGE.put_into(path, "a machine")
    assert not (tmp_path / "document").exists()
