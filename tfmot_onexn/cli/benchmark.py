"""``onexn benchmark``."""

import argparse
import pathlib

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "benchmark",
        run,
        "Time .tflite files and TVM builds side by side, each in a process of its own, "
        "in turns.",
        "Speed-ups are over the first dense .tflite without the delegate; where none "
        "is dense, those of the delegate and of TVM are over the same network without.",
    )
    parser.add_argument(
        "artifacts",
        nargs="+",
        metavar="ARTIFACT",
        help="a .tflite, or a .so or plan of `onexn build`",
    )
    common.add_timing(parser, "tflite,tflite+delegate,tvm")
    parser.add_argument(
        "--device",
        default="local",
        help="where to run them: local (this machine), qemu-aarch64 or qemu-armv7 "
        "(emulated: whether they run, not how fast), ssh:HOST (LiteRT in its Python, "
        "plans without), adb or adb:SERIAL (an Android device), rpc:HOST:PORT "
        "(libraries, where TVM's RPC server runs)",
    )
    parser.add_argument(
        "--benchmark-model",
        metavar="PATH",
        help="TensorFlow's program of that name, built for the device, which runs "
        ".tflite files there; Android needs it",
    )
    parser.add_argument(
        "--delegate", metavar="PATH", help="`onexn delegate --target …` for the device"
    )
    parser.add_argument(
        "--python", default="python3", help="on the device; has LiteRT and NumPy"
    )
    parser.add_argument(
        "--timeout", type=float, default=300, help="seconds of one turn on the device"
    )


def run(arguments: argparse.Namespace) -> int:
    """Times the files."""
    from tfmot_onexn.benchmark import artifacts, machine, runtimes
    from tfmot_onexn.benchmark.devices import names

    device = names.device(arguments.device)
    if device is None and (arguments.delegate or arguments.benchmark_model):
        raise ValueError("--delegate and --benchmark-model need a --device.")
    described = machine.describe()
    spelled = arguments.runtimes.split(",")
    untimed = [
        (artifacts.row_of(path), path, runtime)
        for path in arguments.artifacts
        for runtime in runtimes.of_artifact(path, spelled)
    ]
    settings = {
        "threads": arguments.threads,
        "runs": arguments.runs,
        "track": common.track,
    }
    if device is None:
        rows = artifacts.time_rows(untimed, **settings)
    else:
        rows = _on_device(device, arguments, untimed, settings)
        described["device"] = device.name
    title = "Latency" if device is None else f"Latency on {device.name}"
    return common.report_rows(arguments, title, described, rows)


def _on_device(device, arguments: argparse.Namespace, untimed, settings):
    """Times the files on a device."""
    from tfmot_onexn.benchmark.devices import programs, turns

    def existing(path: str | None) -> pathlib.Path | None:
        if path is not None and not pathlib.Path(path).is_file():
            raise ValueError(f"No file at {path}.")
        return None if path is None else pathlib.Path(path)

    tools = programs.Tools(
        existing(arguments.benchmark_model),
        existing(arguments.delegate),
        arguments.python,
        arguments.timeout,
    )
    with device:
        return turns.time_rows(untimed, device, tools, **settings)
