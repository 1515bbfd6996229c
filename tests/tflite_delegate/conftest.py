"""Runs files in a runtime with and without the delegate.

ONEXN_LIBRARY in the environment names another library than the package's, such as one
that is built with a sanitizer.
"""

import json
import os

import pytest
from ai_edge_litert.interpreter import Interpreter, load_delegate
from small_files import difference, invoke

from tfmot_onexn.tflite import delegate


@pytest.fixture(scope="session")
def library():
    return os.environ.get("ONEXN_LIBRARY") or str(delegate.packaged())


@pytest.fixture
def interpreter(library):
    """Loads a file's content with the delegate, or without if `options` is None."""

    def load(content, options=None, **keywords):
        delegates = None if options is None else [load_delegate(library, options)]
        loaded = Interpreter(
            model_content=content, experimental_delegates=delegates, **keywords
        )
        loaded.allocate_tensors()
        return loaded

    return load


@pytest.fixture
def claim(interpreter, tmp_path):
    """Loads a file with the delegate; returns the interpreter and the verdicts."""

    def load(content, options=None, **keywords):
        path = tmp_path / "verdicts.jsonl"
        given = {"cost_gate": "off", **(options or {}), "verdicts": str(path)}
        loaded = interpreter(content, given, **keywords)
        return loaded, [json.loads(line) for line in path.read_text().splitlines()]

    return load


@pytest.fixture
def same(interpreter, claim):
    """Asserts that the delegate computes what XNNPACK does; returns the verdicts."""

    def check(content, options=None, **keywords):
        loaded, verdicts = claim(content, options, **keywords)
        expected = invoke(interpreter(content, **keywords))
        assert difference(invoke(loaded), expected) <= 1e-5
        return verdicts

    return check
