"""Runs a command in this process."""

import pytest
from graphs import small_network

from tfmot_onexn import cli
from tfmot_onexn.networks.random_weights import randomize


@pytest.fixture
def onexn(capsys):
    """Calls ``onexn ARGUMENTS``; returns the exit code, stdout and stderr."""

    def call(*arguments):
        code = cli.main(cli.parse(["onexn", *map(str, arguments)]))
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.keras"
    randomize(small_network(width=3)).save(path)
    return path
