"""``onexn build``."""

import argparse

from tfmot_onexn import targets
from tfmot_onexn.cli import common
from tfmot_onexn.tvm import builds


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "build",
        run,
        "Build a network with TVM: kernels that skip zero blocks.",
        "Needs pip install tfmot-onexn[tvm]. Give a .tflite of `onexn convert`, or a "
        "Keras model, which is converted first; n is found from the zeros. "
        "`onexn benchmark m.tflite m.so` times both. "
        "host is this machine, and makes use of all its instructions; the others are "
        "linked with zig: pip install tfmot-onexn[build].",
    )
    parser.add_argument(
        "model", metavar="MODEL", help=f"a .tflite, {common.MODEL_HELP}"
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT")
    parser.add_argument(
        "--format",
        choices=builds.FORMATS,
        default=builds.VM,
        help="vm: a .so for TVM's virtual machine; plan: a folder with a C runner, a "
        "library and a static benchmark program, which run without TVM",
    )
    parser.add_argument("--target", default=targets.HOST, help=", ".join(targets.NAMES))
    parser.add_argument(
        "--no-fuse",
        dest="fuse",
        action="store_false",
        help="keep the layers of inverted residuals apart; without it, those of large "
        "feature maps become one kernel each, where that pays",
    )
    parser.add_argument("--tuned", metavar="FILE", help="what `onexn tune` wrote")
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Builds."""
    from tfmot_onexn.networks import files
    from tfmot_onexn.tvm import extra

    triple = targets.resolve(arguments.target).triple
    extra.require()
    if arguments.format == builds.VM:
        files.require_writable(arguments.output)
    with common.building(arguments) as show:
        from tfmot_onexn.tvm.build import build_tvm

        build_tvm(
            common.model_or_tflite(arguments, show),
            arguments.output,
            target=arguments.target,
            format=arguments.format,
            fuse=arguments.fuse,
            tuned=arguments.tuned,
            progress=show,
        )
    size = builds.size(arguments.output)
    print(f"Wrote {arguments.output}: {size / 1e6:.2f} MB, for {triple}.")
    return 0
