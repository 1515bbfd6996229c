"""Notes of native code are hidden, unless something fails."""

import os

import pytest

from tfmot_onexn.benchmark import native_notes


def test_notes_are_hidden_and_nothing_after_them(capfd):
    with native_notes.hidden():
        os.write(2, b"a note from C++\n")
    os.write(2, b"an error\n")
    assert capfd.readouterr().err == "an error\n"


def test_notes_are_shown_if_the_body_fails(capfd):
    with pytest.raises(ImportError, match="tensorflow"), native_notes.hidden():
        os.write(2, b"a note from C++\n")
        raise ImportError("tensorflow")
    os.write(2, b"an error\n")
    assert capfd.readouterr().err == "a note from C++\nan error\n"
