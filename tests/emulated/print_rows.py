"""Prints what the programs beside this one found, as a table.

    python tests/emulated/print_rows.py FOLDER/networks

Of the delegate, the largest difference of its kernels, with one and two threads.
"""

import json
import pathlib
import sys

_WAYS = {
    "stock": "stock",
    "for xnnpack": "for XNNPACK",
    "delegate": "delegate",
    "plan": "plan",
}


def main(folder: pathlib.Path) -> None:
    found: dict[tuple[str, str, str], dict[str, list[dict]]] = {}
    for line in (folder / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        way = row["way"].split(",")[0]
        key = (row["network"], row["processor"])
        found.setdefault(key, {}).setdefault(way, []).append(row)
    print("| network | processor |", " | ".join(_WAYS.values()), "|")
    print("|---|---|" + "---|" * len(_WAYS))
    for (network, processor), ways in sorted(found.items()):
        cells = [_cell(ways.get(way, [])) for way in _WAYS]
        print(f"| {network} | {processor} |", " | ".join(cells), "|")


def _cell(rows: list[dict]) -> str:
    if not rows:
        return "–"
    facts = [f"{max(row['error'] for row in rows):.1e}"]
    if "mode" in rows[0]:
        facts.append(f"sparse {rows[0]['mode']}")
    if "claimed" in rows[0]:
        facts.append(f"{rows[0]['claimed']} of {rows[0]['layers']} layers")
    return ", ".join(facts)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
