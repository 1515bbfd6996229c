"""``python -m tfmot_onexn``."""

import signal

import absl.app

from tfmot_onexn import cli


def run() -> None:
    """Runs the command line; SIGTERM interrupts it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    absl.app.run(cli.main, flags_parser=cli.parse)


if __name__ == "__main__":
    run()
