"""``onexn export``."""

import argparse
import pathlib

from tfmot_onexn import targets
from tfmot_onexn.cli import common
from tfmot_onexn.tvm import builds


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "export",
        run,
        "Write all that a network is shipped as into one folder: the .tflite, TVM "
        "builds for each target, and a manifest with checksums.",
        "Needs pip install tfmot-onexn[tvm]. The folder has model.tflite; for each "
        "target TARGET/model.so and TARGET/plan; and manifest.json. `onexn benchmark "
        "DIR/model.tflite DIR/host/model.so` times them here. host is this machine; "
        "builds for the others need pip install tfmot-onexn[build], for Android the "
        "NDK.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help=f"a .tflite, {common.MODEL_HELP}"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR")
    parser.add_argument(
        "--target",
        default=targets.HOST,
        help=f"comma-separated: {', '.join(targets.NAMES)}",
    )
    parser.add_argument(
        "--format",
        choices=(builds.ALL, *builds.FORMATS),
        default=builds.ALL,
        help="vm: a .so for TVM's virtual machine; plan: a folder with a C runner, a "
        "library and a static benchmark program, which run without TVM; all: both, for "
        "Android the plan",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="store the weights of a Keras model in half precision",
    )
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exports."""
    from tfmot_onexn.tvm import extra, manifest
    from tfmot_onexn.tvm.export import export

    names = arguments.target.split(",")
    for name in names:
        targets.resolve(name)
    extra.require()
    with common.building(arguments) as show:
        written = export(
            common.model_or_tflite(arguments, show),
            arguments.output,
            targets=names,
            format=arguments.format,
            float16=arguments.float16,
            progress=show,
        )
    folder = pathlib.Path(arguments.output)
    for artifact in written["artifacts"]:
        size = artifact["size_bytes"] / 1e6
        print(f"Wrote {folder / artifact['path']}: {size:.2f} MB.")
    print(f"Wrote {folder / manifest.NAME}.")
    return 0
