"""Setuptools, which asks for a compiler from PyPI where the machine has none."""

import os
import pathlib

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 (the hooks that stay as they are)

from tfmot_onexn.tflite import delegate_build


def get_requires_for_build_wheel(config_settings=None):
    """Returns what building a wheel needs beside pyproject.toml's requirements."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_compiler()]


def get_requires_for_build_editable(config_settings=None):
    """Returns the same for an editable installation."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_compiler()]


def _compiler():
    if delegate_build.has_compiler() and not os.environ.get(
        delegate_build.WHEEL_TARGET
    ):
        return []
    pins = pathlib.Path(__file__).with_name("constraints.txt").read_text().split()
    return [pin for pin in pins if pin.startswith("ziglang==")]
