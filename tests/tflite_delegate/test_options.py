import pytest
from ai_edge_litert.interpreter import load_delegate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"speed": "1"},
            'unknown option "speed"; there are num_threads, kernel, cost_',
        ),
        ({"num_threads": "0"}, 'num_threads is "0", expected a number from 1 to 64'),
        ({"num_threads": "65"}, 'num_threads is "65", expected a number from 1 to 64'),
        (
            {"num_threads": "two"},
            'num_threads is "two", expected a number from 1 to 64',
        ),
        ({"num_threads": ""}, 'num_threads is "", expected a number from 1 to 64'),
        ({"kernel": "fast"}, 'kernel is "fast", expected auto or reference'),
        ({"cost_gate": "1"}, 'cost_gate is "1", expected on or off'),
        ({"verbose": "yes"}, 'verbose is "yes", expected 0 or 1'),
        ({"verdicts": ""}, 'verdicts is "", expected the path of a file to write'),
        ({"kernel": "auto", "Kernel": "auto"}, 'unknown option "Kernel"'),
    ],
)
def test_what_is_not_understood_is_named(options, message, library):
    with pytest.raises(ValueError, match=f"onexn delegate: (option )?{message}"):
        load_delegate(library, options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_threads": "64", "kernel": "reference", "cost_gate": "on", "verbose": "0"},
        {"num_threads": 1, "kernel": "auto", "cost_gate": "off", "verbose": 0},
    ],
)
def test_what_is_understood(options, library):
    assert load_delegate(library, options) is not None


@pytest.mark.parametrize("isa", ["avx1024", ""])
def test_an_isa_that_is_not_there_is_named(isa, library, monkeypatch):
    monkeypatch.setenv("ONEXN_ISA", isa)
    with pytest.raises(ValueError, match=f'ONEXN_ISA is "{isa}", expected portable, a'):
        load_delegate(library, {})


def test_the_portable_isa_is_everywhere(library, monkeypatch):
    monkeypatch.setenv("ONEXN_ISA", "portable")
    assert load_delegate(library, {}) is not None
