"""Reads or runs many mutated `.tflite` files and tells what came of them.

    python tests/fuzz/fuzz_tflite.py --count 1000000 --seed 1 --jobs 2
    python tests/fuzz/fuzz_tflite.py --count 20000 --run
    python tests/fuzz/fuzz_tflite.py --seed 1 --first 4711 --count 1

The files that failed stay in FOLDER/failures, each with what happened.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

import rich.console
import rich.progress
import rich.table

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from fuzz import mutations, workers


def main() -> int:
    """Returns 0 if no file failed."""
    arguments = _parser().parse_args()
    folder = pathlib.Path(arguments.folder or tempfile.mkdtemp(prefix="fuzz_tflite_"))
    examiner = "fuzz.running" if arguments.run else "fuzz.reading"
    series = workers.Series(examiner, _seeds(), arguments.seed, folder)
    indices = range(arguments.first, arguments.first + arguments.count)
    console = rich.console.Console()
    with rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[failed]} failed"),
        console=console,
    ) as bar:
        task = bar.add_task("files", total=len(indices), failed=0)
        report = workers.run(
            series,
            indices,
            arguments.jobs,
            lambda so_far: bar.update(
                task, completed=so_far.count, failed=len(so_far.failures)
            ),
        )
    console.print(_table(report))
    seconds, index = report.slowest
    console.print(f"slowest: {seconds:.3f} s, file {index} of seed {arguments.seed}")
    console.print(f"peak memory: {report.peak_bytes / 1e6:.0f} MB")
    for index, what in sorted(report.failures.items()):
        console.print(f"file {index}: {what}", markup=False)
    if report.failures:
        console.print(f"kept in {folder / 'failures'}")
    return 1 if report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="of the series")
    parser.add_argument("--first", type=int, default=0, help="index of the first file")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--folder", help="of the files in work; a new one if left out")
    parser.add_argument(
        "--run", action="store_true", help="run what is accepted in LiteRT instead"
    )
    return parser


def _seeds() -> dict[str, bytes]:
    """Builds the seeds; the children do without TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from fuzz import seeds

    return seeds.build()


def _table(report: workers.Report) -> rich.table.Table:
    outcomes = sorted({outcome for _, outcome in report.outcomes})
    table = rich.table.Table(
        "mutation", title=f"{report.count} files", show_footer=True
    )
    total = collections.Counter()
    for (_, outcome), count in report.outcomes.items():
        total[outcome] += count
    for outcome in outcomes:
        table.add_column(outcome, str(total[outcome]), justify="right")
    for kind in mutations.KINDS:
        counts = (report.outcomes[kind, outcome] for outcome in outcomes)
        table.add_row(kind, *map(str, counts))
    return table


if __name__ == "__main__":
    sys.exit(main())
