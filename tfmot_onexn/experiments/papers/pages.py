"""The page of an experiment: tables and a picture, in several formats."""

import dataclasses
import json
import pathlib
from typing import Any

import rich.console

from tfmot_onexn.benchmark import report
from tfmot_onexn.experiments.tables import Table, replace_between
from tfmot_onexn.networks import files


@dataclasses.dataclass(frozen=True)
class Page:
    """What an experiment found.

    Attributes:
      name: of the experiment.
      title: a line.
      tables: measured and published numbers.
      picture: a PNG.
      shown: what the picture shows.
      notes: paragraphs: the setting, and what the numbers say.
      values: the numbers of the tables, for JSON.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    picture: bytes
    shown: str
    notes: tuple[str, ...]
    values: Any

    def show(self, console: rich.console.Console) -> None:
        """Prints the tables and the notes."""
        for table in self.tables:
            console.print(table.for_terminal())
        for note in self.notes:
            console.print(note, style="dim", highlight=False)

    def write(self, folder: pathlib.Path, done_by: str) -> list[pathlib.Path]:
        """Writes ``NAME.json``, ``NAME.png`` and ``NAME.html``.

        Args:
          folder: made if missing.
          done_by: where and when the numbers were measured.

        Returns:
          The paths written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        html = report.html(
            self.title,
            [dataclasses.asdict(table) for table in self.tables],
            self.picture,
            self.shown,
            self.notes,
            done_by,
        )
        document = {
            "schema": 1,
            "experiment": self.name,
            "title": self.title,
            "machine": done_by,
            "notes": self.notes,
            "values": self.values,
        }
        contents: dict[str, bytes | str] = {
            f"{self.name}.json": json.dumps(document, indent=1) + "\n",
            f"{self.name}.png": self.picture,
            f"{self.name}.html": html,
        }
        for name, content in contents.items():
            files.write(folder / name, content)
        return [folder / name for name in contents]

    def markdown(self, folder: str, done_by: str) -> str:
        """Returns the tables, each below its title, the picture and the notes.

        Args:
          folder: of the picture.
          done_by: where and when the numbers were measured.
        """
        tables = [f"**{t.title}**\n\n{t.markdown()}" for t in self.tables]
        picture = f"![{self.shown}]({folder}/{self.name}.png)"
        return "\n".join([*tables, "\n\n".join([picture, *self.notes, done_by])])

    def put_into(self, path: pathlib.Path, done_by: str) -> None:
        """Puts tables, picture and notes between the experiment's markers in a file.

        Args:
          path: of Markdown. The picture goes into a folder beside it, of its name
            without the ending.
          done_by: where and when the numbers were measured.

        Raises:
          ValueError: if the file has not ``<!-- NAME -->`` and ``<!-- /NAME -->``.
        """
        markers = (f"<!-- {self.name} -->", f"<!-- /{self.name} -->")
        folder = path.with_suffix("")
        replace_between(path, markers, f"\n{self.markdown(folder.name, done_by)}\n")
        folder.mkdir(exist_ok=True)
        files.write(folder / f"{self.name}.png", self.picture)
