"""Runs a command in several processes that TF_CONFIG makes the workers of a cluster."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

# lets ``python -m`` find the modules beside this one
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent)}


def free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def start(*arguments, count=2):
    """Starts ``python ARGUMENTS`` in each worker; returns the processes."""
    addresses = free_addresses(count)
    processes = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        processes.append(
            subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env={**ENVIRONMENT, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def finish(processes, timeout=300):
    """Waits for the workers; returns each one's exit code, stdout and stderr.

    Workers that wait for each other for ever are killed, so that their stderr shows in
    the failure.
    """
    results = []
    for process in processes:
        try:
            output = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for each in processes:
                each.kill()
            output = process.communicate()
        results.append((process.returncode, *output))
    return results


def finish_well(processes, timeout=300):
    """Waits for workers that must succeed; returns each one's stdout."""
    results = finish(processes, timeout)
    for code, _, errors in results:
        assert code == 0, "\n".join(each[-3000:] for _, _, each in results) or errors
    return [output for _, output, _ in results]
