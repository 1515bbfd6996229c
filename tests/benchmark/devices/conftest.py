import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from graphs import small_network

from tfmot_onexn.benchmark.devices.ssh import Ssh
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm.build import build_tvm

SSHD = "/usr/sbin/sshd"


@pytest.fixture(scope="session")
def dense_file(tmp_path_factory):
    """A small network as a `.tflite`."""
    path = tmp_path_factory.mktemp("files") / "dense.tflite"
    convert.convert_to_tflite(small_network(), path)
    return path


@pytest.fixture(scope="session")
def plan_folder(dense_file, tmp_path_factory):
    """A plan for this machine."""
    folder = tmp_path_factory.mktemp("plans") / "plan"
    build_tvm(dense_file, folder, format="plan")
    return folder


@pytest.fixture
def plan_for(plan_folder, tmp_path):
    """Makes the folder of a plan that says it is for some target."""

    def make(target):
        folder = tmp_path / f"plan-{target}"
        shutil.copytree(plan_folder, folder)
        path = folder / "about.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "target": target}))
        return folder

    return make


@pytest.fixture(scope="session")
def ssh_options(tmp_path_factory):
    """Options by which ssh reaches a server on this machine."""
    if not pathlib.Path(SSHD).exists():
        pytest.skip("no ssh server is installed")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(command, check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPidFile none\nUsePAM no\n"
        "StrictModes no\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", settings], stderr=subprocess.PIPE
    )
    options = [
        *("-F", "none", "-o", f"Port={port}", "-o", f"IdentityFile={folder / 'user'}"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "LogLevel=ERROR", "-o", "BatchMode=yes"),
    ]
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield options
    server.terminate()
    server.communicate()


@pytest.fixture
def ssh(ssh_options):
    with Ssh("ssh:127.0.0.1", ssh_options) as device:
        yield device
