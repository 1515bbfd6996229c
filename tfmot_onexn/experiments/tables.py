"""Tables for a terminal and for Markdown, and where they stand in a file."""

import dataclasses
import pathlib

import rich.table

from tfmot_onexn.networks import files


@dataclasses.dataclass(frozen=True)
class Table:
    """Cells of text; the first column is aligned to the left."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Returns the table without its title."""
        rule = ("---", *["---:"] * (len(self.header) - 1))
        lines = (self.header, rule, *self.rows)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"

    def for_terminal(self) -> rich.table.Table:
        """Returns the table with its title."""
        table = rich.table.Table(title=self.title, title_justify="left")
        for index, name in enumerate(self.header):
            # in a narrow terminal, what does not fit goes on below and is not cut
            table.add_column(
                name, justify="right" if index else "left", overflow="fold"
            )
        for cells in self.rows:
            table.add_row(*cells)
        return table


def percent(share: float) -> str:
    """Returns a share as text."""
    return f"{100 * share:.0f} %"


def replace_between(path: pathlib.Path, markers: tuple[str, str], text: str) -> None:
    """Replaces what stands between two lines of a file.

    Raises:
      ValueError: if the file has not one of each, in their order.
    """
    content = path.read_text("utf-8")
    start, end = markers
    before, found, rest = content.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed) or start in rest or end in after:
        raise ValueError(
            f"{path} needs the line {start}, and below it {end}, once each: the tables "
            "go between them."
        )
    files.write(path, f"{before}{start}\n{text.strip()}\n{end}{after}".encode())
