"""The workers that train together, as the environment variable TF_CONFIG names them.

TensorFlow trusts the variable: an index that is out of range or an address without a
port ends in a wait or in a message about something else. So it is looked through first.
"""

import json
from typing import Any

_JOBS = ("chief", "worker")
_EXAMPLE = {
    "cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]},
    "task": {"type": "worker", "index": 0},
}


def require_valid(config: str | None) -> None:
    """Raises ValueError, with an example, unless TF_CONFIG describes a cluster.

    Args:
      config: the variable's value, None if it is not set.
    """
    fault = "is not set" if not config else _fault(config)
    if fault:
        raise ValueError(
            f"TF_CONFIG {fault}. On each machine it names all workers and, by its "
            f"index, the one that runs there: TF_CONFIG='{json.dumps(_EXAMPLE)}'."
        )


def _fault(config: str) -> str | None:
    """Tells what is wrong with the variable, or returns None."""
    try:
        found = json.loads(config)
    except ValueError as error:
        return f"is no JSON ({error})"
    if not isinstance(found, dict):
        return f"is {config}, no object"
    cluster, task = found.get("cluster"), found.get("task")
    return _fault_of_cluster(cluster) or _fault_of_task(task, cluster)


def _fault_of_cluster(cluster: Any) -> str | None:
    if not isinstance(cluster, dict) or not cluster:
        return "names no cluster"
    for job, addresses in cluster.items():
        if job not in _JOBS:
            return f"has the job {job!r}; only {' and '.join(_JOBS)} train in step"
        if not isinstance(addresses, list) or not addresses:
            return f"has no list of addresses for the job {job!r}"
        for address in addresses:
            if not (isinstance(address, str) and _has_port(address)):
                return f"has the address {address!r}, which is not HOST:PORT"
    everyone = [address for addresses in cluster.values() for address in addresses]
    if len({*everyone}) < len(everyone):
        return "gives the same address to two workers"
    if len(cluster.get("chief", [])) > 1:
        return f"has {len(cluster['chief'])} chiefs; there can be one"
    return None


def _has_port(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


def _fault_of_task(task: Any, cluster: Any) -> str | None:
    if not isinstance(task, dict):
        return "does not tell the task of this worker"
    job, index = task.get("type"), str(task.get("index"))
    if job not in cluster:
        return f"gives this worker the type {job!r}, of which the cluster has none"
    # TensorFlow takes "0" for 0 too
    if not index.isdecimal():
        return f"gives this worker the index {index}, no number from 0"
    if int(index) >= len(cluster[job]):
        return (
            f"gives this worker the index {index}; the cluster has "
            f"{len(cluster[job])} of type {job!r}, counted from 0"
        )
    return None
