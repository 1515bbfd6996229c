import json
import os

import pytest
from small_files import SmallFile, block_kernel

from tfmot_onexn.tflite import flatbuffer


def network(rng):
    file = SmallFile()
    x = file.input([1, 4, 4, 16])
    y = file.conv(x, block_kernel(rng, (32, 1, 1, 16), 8))
    y = file.conv(y, rng.normal(size=(8, 1, 1, 32)))
    file.output(file.dense(y, block_kernel(rng, (32, 8), 4), keep=True))
    return file.content()


def renamed(content, name):
    model = flatbuffer.read(content)
    for operator in model.subgraphs[0].operators:
        if len(operator.inputs) == 3:
            model.subgraphs[0].tensors[operator.outputs[0]].name = name
    return flatbuffer.write(model)


def test_a_line_for_each_layer_in_the_order_of_the_graph(rng, claim):
    content = network(rng)
    _, verdicts = claim(content)
    assert [list(verdict) for verdict in verdicts] == [
        ["node", "operator", "output", "claimed", "kernel", "n", "reason"]
    ] * 3
    operators = flatbuffer.read(content).subgraphs[0].operators
    nodes = [i for i, operator in enumerate(operators) if len(operator.inputs) == 3]
    assert [verdict["node"] for verdict in verdicts] == nodes
    assert [verdict["operator"] for verdict in verdicts] == [
        *("CONV_2D", "CONV_2D", "FULLY_CONNECTED")
    ]
    assert [verdict["claimed"] for verdict in verdicts] == [True, False, True]
    assert [verdict["n"] for verdict in verdicts] == [8, 0, 4]
    assert [verdict["kernel"] == "" for verdict in verdicts] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b'a "b" \\c', 'a "b" \\c'),
        ("né/×/層/🙂".encode(), "né/×/層/🙂"),
        (b"tab\tbell\x07del\x7f", "tab\tbell\x07del\x7f"),
        (b"\xff\xc3(\xe2\x82", "��(��"),
        (b"\xc0\xaf\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80", "�" * 12),
        (b"", ""),
    ],
)
def test_names_are_escaped(name, expected, rng, claim):
    _, verdicts = claim(renamed(network(rng), name))
    assert [verdict["output"] for verdict in verdicts] == [expected] * 3


def test_a_file_is_replaced_as_a_whole(rng, interpreter, tmp_path):
    path = tmp_path / "verdicts.jsonl"
    path.write_text("something else\n" * 1000)
    interpreter(network(rng), {"verdicts": str(path)})
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 3
    assert os.listdir(tmp_path) == [path.name]


def test_preparing_again_replaces_what_was_said(rng, claim, tmp_path):
    loaded, verdicts = claim(network(rng))
    loaded.resize_tensor_input(loaded.get_input_details()[0]["index"], [2, 5, 5, 16])
    loaded.allocate_tensors()
    lines = (tmp_path / "verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == verdicts


def test_a_file_that_cannot_be_written(rng, interpreter, tmp_path):
    path = tmp_path / "missing" / "verdicts.jsonl"
    with pytest.raises(RuntimeError, match=r'onexn delegate: could not write ".*g/v'):
        interpreter(network(rng), {"verdicts": str(path)})


def test_verbose_prints_them(rng, interpreter, capfd):
    interpreter(network(rng), {"verbose": "1"})
    lines = capfd.readouterr().err.splitlines()
    printed = [json.loads(line) for line in lines if line.startswith("{")]
    assert [verdict["operator"] for verdict in printed] == [
        *("CONV_2D", "CONV_2D", "FULLY_CONNECTED")
    ]
