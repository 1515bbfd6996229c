"""``onexn convert``."""

import argparse

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "convert",
        run,
        "Convert a Keras model to a .tflite with 1×N sparse tensors.",
        "n is found from the zeros; any TFLite runtime loads the file.",
    )
    parser.add_argument("model", metavar="MODEL", help=common.MODEL_HELP)
    parser.add_argument("-o", "--output", required=True, metavar="OUT.tflite")
    parser.add_argument(
        "--float16", action="store_true", help="store weights in half precision"
    )
    parser.add_argument(
        "--dense", action="store_true", help="store the zeros too, for comparison"
    )
    parser.add_argument(
        "--for",
        dest="runtime",
        choices=("any", "xnnpack"),
        default="any",
        help="xnnpack: a file that stock LiteRT on 64-bit ARM runs sparse by itself, "
        "above two thirds of zeros; for a model that was prepared before fine-tuning "
        "by tfmot_onexn.prepare_for_xnnpack",
    )
    parser.add_argument(
        "--allow-shift",
        action="store_true",
        help="with --for xnnpack, prepare the model now, though this moves the "
        "sampling grid of some layers by a pixel",
    )
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Converts."""
    common.load_tensorflow()
    from tfmot_onexn.networks import files
    from tfmot_onexn.tflite.convert import convert_to_tflite

    if arguments.allow_shift and arguments.runtime != "xnnpack":
        raise ValueError("--allow-shift needs --for xnnpack.")
    files.require_writable(arguments.output)
    model, _ = common.network(arguments)
    content = convert_to_tflite(
        model,
        arguments.output,
        float16=arguments.float16,
        sparse=not arguments.dense,
        for_xnnpack=arguments.runtime == "xnnpack",
        allow_shift=arguments.allow_shift,
    )
    print(f"Wrote {arguments.output}: {len(content) / 1e6:.2f} MB.")
    return 0
