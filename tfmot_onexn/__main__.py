"""``python -m tfmot_onexn``."""

import absl.app

from tfmot_onexn import cli


def run() -> None:
    """Runs the command line."""
    absl.app.run(cli.main, flags_parser=cli.parse)


if __name__ == "__main__":
    run()
