import io

import pytest
import rich.console

from tfmot_onexn.experiments import tables

MARKERS = ("<!-- bench -->", "<!-- /bench -->")
README = "# Title\n\n{}\nold\n{}\n\nmore\n".format(*MARKERS)


def test_a_table_for_markdown_and_for_a_terminal():
    table = tables.Table("Title", ("a", "b"), (("x", "1"), ("y", "2")))
    assert table.markdown() == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 2 |\n"
    console = rich.console.Console(file=io.StringIO(), width=60)
    console.print(table.for_terminal())
    text = console.file.getvalue()
    assert all(word in text for word in ("Title", "a", "b", "x", "2"))


def test_a_narrow_terminal_cuts_nothing():
    table = tables.Table("Title", ("layer",), (("block_13_project",),))
    console = rich.console.Console(file=io.StringIO(), width=14)
    console.print(table.for_terminal())
    parts = [line.strip("│ ") for line in console.file.getvalue().splitlines()]
    assert "block_13_project" in "".join(parts)


def test_tables_are_replaced_as_often_as_they_are_measured(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README)
    for text in ("new\n", "newer\n"):
        tables.replace_between(path, MARKERS, text)
    assert path.read_text() == README.replace("old", "newer")


@pytest.mark.parametrize(
    "content",
    ["nothing", MARKERS[0], "\n".join(reversed(MARKERS)), README + README],
)
def test_markers_are_needed_once_each(tmp_path, content):
    path = tmp_path / "README.md"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"README\.md needs the line <!-- bench"):
        tables.replace_between(path, MARKERS, "new")
    assert path.read_text() == content
