"""Times a library on a machine with TVM's RPC server for one turn.

    python -m tfmot_onexn.benchmark.devices.rpc_turn HOST PORT FILE THREADS WARMUP RUNS

prints the times as a line of JSON.
"""

import json
import sys

from tfmot_onexn.tvm import rpc_runtime

# the exit code that tells that the machine is not there
UNREACHABLE = 3
# of a call, so that a server which is gone is noticed
_SECONDS = 120


def main(host: str, port: str, path: str, threads: str, warmup: str, runs: str) -> None:
    """Prints ``{"ms": [...]}``, or a line that tells what failed."""
    try:
        session = rpc_runtime.Session(host, int(port), _SECONDS)
        machine = session.load(path, int(threads))
        times = machine.milliseconds(int(runs), int(warmup))
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(UNREACHABLE)
    except (ValueError, RuntimeError) as error:
        # TVM puts the reason last
        sys.exit(str(error).strip().splitlines()[-1])
    print(json.dumps({"ms": times}))


if __name__ == "__main__":
    main(*sys.argv[1:])
