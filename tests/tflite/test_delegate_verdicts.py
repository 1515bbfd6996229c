import pytest
from sparse_networks import body
from sparse_networks import pruned as with_zeros

from tfmot_onexn.tflite import (
    convert,
    delegate_build,
    delegate_verdicts,
    flatbuffer,
    inventory,
    kernels,
)
from tfmot_onexn.tflite.delegate_verdicts import LayerVerdict


@pytest.fixture(scope="module")
def network():
    return with_zeros(body(padded=False))


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "model.tflite"
    convert.convert_to_tflite(network, path)
    return path


def test_each_layer_has_one_verdict_with_a_reason(file):
    model = flatbuffer.read_file(file)
    graph = model.subgraphs[0]
    found = delegate_verdicts.read(file, options={"cost_gate": "off"})
    assert len(found) == 4
    for verdict in found:
        operator = graph.operators[verdict.node]
        code = flatbuffer.operator_of(model, operator)
        assert flatbuffer.operator_name(code) == verdict.operator == "CONV_2D"
        name = graph.tensors[operator.outputs[0]].name.decode()
        assert verdict.output == name
        assert verdict.reason.endswith(".")
        assert bool(verdict.kernel) == verdict.claimed
    stem, *pointwise = found
    assert not stem.claimed
    assert stem.reason == "Its kernel is stored dense."
    assert all(verdict.claimed and verdict.n == 4 for verdict in pointwise)


def test_options_and_library_are_the_callers(file, tmp_path):
    found = delegate_verdicts.read(file, options={"kernel": "reference"})
    claimed = [verdict.kernel for verdict in found if verdict.claimed]
    assert claimed
    assert all("reference" in kernel for kernel in claimed)
    with pytest.raises(ValueError, match=r"Cannot read the delegate .*none\.so"):
        delegate_verdicts.read(file, library=tmp_path / "none.so")


def words(found):
    return {layer.name: layer.verdicts["delegate"].word for layer in found.layers}


def test_a_summary_has_the_delegates_own_reason(file):
    found = inventory.of_file(file)
    # the last layer is too small to gain
    assert words(found) == {
        "stem": "dense",
        "expand": "sparse",
        "project": "sparse",
        "last": "dense",
    } | {name: "dense" for name in words(found) if name.startswith("depthwise")}
    by_name = {layer.name: layer.verdicts["delegate"] for layer in found.layers}
    _, expand, _, last = delegate_verdicts.read(file)
    assert by_name["last"].reason == last.reason
    assert "not expected to get faster" in last.reason
    assert by_name["expand"].reason == (
        f"{expand.reason.rstrip('.')} ({expand.kernel})."
    )
    assert found.verdicts["delegate"].word == "sparse"
    assert set(found.verdicts) == {"x86-64", "arm64", "delegate"}


def test_a_dense_file_has_nothing_to_claim(network, tmp_path):
    path = tmp_path / "dense.tflite"
    convert.convert_to_tflite(network, path, sparse=False)
    found = inventory.of_file(path)
    assert set(words(found).values()) == {"dense"}
    assert found.verdicts["delegate"].reason == "Its kernel is stored dense."


def test_a_model_has_to_be_converted(network):
    found = inventory.of_model(network)
    by_name = {layer.name: layer.verdicts["delegate"] for layer in found.layers}
    assert by_name["expand"].word == "unknown"
    assert "convert the model" in by_name["expand"].reason
    assert by_name["stem"].reason == "It has no zeros to skip."
    assert found.verdicts["delegate"].word == "unknown"


def test_content_without_a_file_is_not_shown_to_the_delegate(file):
    found = inventory.of_content(file.read_bytes())
    assert set(found.verdicts) == {"x86-64", "arm64"}


def test_without_a_delegate_all_is_unknown_and_the_reason_is_told(file, monkeypatch):
    monkeypatch.setattr(delegate_build, "LIBRARY", "libmissing.so")
    found = inventory.of_file(file)
    assert set(words(found).values()) == {"unknown"}
    assert "The delegate is missing" in found.verdicts["delegate"].reason


def test_a_file_that_the_runtime_refuses_is_unknown(file, tmp_path):
    stored = kernels.read(flatbuffer.read_file(file))
    path = tmp_path / "text.tflite"
    path.write_text("no model at all, but of some length")
    verdicts = delegate_verdicts.of_kernels(path, stored)
    assert len(verdicts) == len(stored)
    for verdict in verdicts:
        assert verdict.word == "unknown"
        assert verdict.reason.startswith("The runtime refuses the file: ")
        assert "\n" not in verdict.reason


def test_an_operator_that_no_runtime_knows_keeps_no_layer_from_its_verdict(
    file, tmp_path
):
    model = flatbuffer.read_file(file)
    mean = next(c for c in model.operatorCodes if flatbuffer.builtin_code(c) == 40)
    mean.builtinCode, mean.deprecatedBuiltinCode = 32, 32
    mean.customCode = b"NoSuchOperator"
    path = tmp_path / "custom.tflite"
    path.write_bytes(flatbuffer.write(model))
    assert delegate_verdicts.read(path) == delegate_verdicts.read(file)


def test_a_kernel_of_several_layers_is_sparse_only_where_all_are(file, monkeypatch):
    (_, expand, *_), *_ = [kernels.read(flatbuffer.read_file(file))]
    node = expand.places[0].operator
    yes = LayerVerdict(node, "CONV_2D", "a", True, "f32", 4, "It is.")
    no = LayerVerdict(node + 9, "CONV_2D", "b", False, "", 4, "It is not.")
    twice = [expand.places[0], type(expand.places[0])(0, node + 9, 0)]
    kernel = type(expand)(**{**vars(expand), "places": tuple(twice)})
    for said, expected in (([yes], "It is (f32)."), ([yes, no], "It is not.")):
        monkeypatch.setattr(delegate_verdicts, "read", lambda path, said=said: said)
        (verdict,) = delegate_verdicts.of_kernels(file, [kernel])
        assert verdict.reason == expected
    monkeypatch.setattr(delegate_verdicts, "read", lambda path: [])
    (verdict,) = delegate_verdicts.of_kernels(file, [kernel])
    assert (verdict.word, verdict.reason) == (
        "unknown",
        "The delegate says nothing of it.",
    )
