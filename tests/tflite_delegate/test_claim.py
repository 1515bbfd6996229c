import threading

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate
from small_files import RELU6, SmallFile, block_kernel, difference, invoke

from tfmot_onexn.tflite import flatbuffer


def network(rng, density=0.4, n=8, half=False, size=12, blocks=2):
    """A stem, inverted residuals, a last convolution and a classifier."""
    file = SmallFile(half)
    x = file.input([1, size, size, 3])
    y = file.conv(x, rng.normal(size=(16, 3, 3, 3)), stride=2, act=RELU6)
    for _ in range(blocks):
        z = file.conv(y, block_kernel(rng, (64, 1, 1, 16), n, density), act=RELU6)
        z = file.depthwise(z, rng.normal(size=(1, 3, 3, 64)) / 3, act=RELU6)
        y = file.add(y, file.conv(z, block_kernel(rng, (16, 1, 1, 64), n, density)))
    y = file.conv(y, block_kernel(rng, (64, 1, 1, 16), n, density))
    file.output(file.dense(file.mean(y), block_kernel(rng, (48, 64), n, density)))
    return file.content()


def resize(loaded, shape):
    loaded.resize_tensor_input(loaded.get_input_details()[0]["index"], shape)
    loaded.allocate_tensors()


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kernel", ["auto", "reference"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_networks(threads, kernel, half, rng, same):
    verdicts = same(network(rng, half=half), {"kernel": kernel}, num_threads=threads)
    assert [verdict["claimed"] for verdict in verdicts] == [False] + [True] * 6
    named = ["reference" in verdict["kernel"] for verdict in verdicts[1:]]
    assert named == [kernel == "reference"] * 6


def test_threads_of_the_delegate(rng, same):
    same(network(rng, size=40), {"num_threads": "3"})


def test_tensors_that_are_all_kept(rng, same, claim):
    """Then no two operators become one."""
    content = network(rng)
    same(content, experimental_preserve_all_tensors=True)
    loaded, verdicts = claim(content, experimental_preserve_all_tensors=True)
    assert [verdict["claimed"] for verdict in verdicts] == [False] + [True] * 6
    invoke(loaded)
    # XNNPACK does not fill in what DENSIFY makes
    stock = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    stock.allocate_tensors()
    invoke(stock)
    for i, tensor in enumerate(flatbuffer.read(content).subgraphs[0].tensors):
        if tensor.sparsity is None:
            kept = stock.get_tensor(i)
            found = loaded.get_tensor(i)
            np.testing.assert_allclose(found, kept, atol=1e-5 * np.abs(kept).max())


@pytest.mark.parametrize("threads", [1, 2])
def test_inputs_of_other_sizes(threads, rng, interpreter, claim):
    content = network(rng)
    loaded, _ = claim(content, num_threads=threads)
    stock = interpreter(content)
    for shape in ([1, 19, 8, 3], [3, 12, 12, 3], [1, 12, 12, 3], [1, 1, 1, 3]):
        resize(loaded, shape)
        resize(stock, shape)
        assert difference(invoke(loaded), invoke(stock)) <= 1e-5


def test_repeated_allocation(rng, interpreter, claim):
    content = network(rng)
    loaded, _ = claim(content)
    expected = invoke(interpreter(content))
    for _ in range(3):
        loaded.allocate_tensors()
        assert difference(invoke(loaded), expected) <= 1e-5


def test_interpreters_that_share_a_delegate(rng, interpreter, library):
    """Of two files, in two threads at once; the delegate goes first."""
    delegate = load_delegate(library, {"cost_gate": "off"})
    contents = [network(rng), network(rng, n=4, size=9)]
    expected = [invoke(interpreter(content)) for content in contents]
    found: list = [None] * 4

    def run(i):
        loaded = Interpreter(
            model_content=contents[i % 2], experimental_delegates=[delegate]
        )
        loaded.allocate_tensors()
        for _ in range(20):
            found[i] = invoke(loaded)

    threads = [threading.Thread(target=run, args=[i]) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, outputs in enumerate(found):
        assert difference(outputs, expected[i % 2]) <= 1e-5


def test_the_delegate_may_go_before_its_interpreter(rng, interpreter, library):
    content = network(rng)
    delegate = load_delegate(library, {"cost_gate": "off"})
    loaded = Interpreter(model_content=content, experimental_delegates=[delegate])
    loaded.allocate_tensors()
    expected = invoke(interpreter(content))
    loaded._delegates = []
    del delegate
    assert difference(invoke(loaded), expected) <= 1e-5
    loaded.allocate_tensors()
    assert difference(invoke(loaded), expected) <= 1e-5


def test_sizes_that_are_known_when_a_model_runs(rng, interpreter, claim):
    """The shape of what a layer reads is an input of the graph."""
    file = SmallFile()
    image, shape = file.input([1, 1, 1, 16]), file.input([4])
    file.graph.tensors[shape].type = flatbuffer.schema.TensorType.INT32
    x = file.operator("RESHAPE", [image, shape], [1, 1, 1, 16], "ReshapeOptions")
    file.output(file.conv(x, block_kernel(rng, (64, 1, 1, 16), 8)))
    loaded, (verdict,) = claim(file.content())
    assert verdict["claimed"]
    results = []
    for each in (loaded, interpreter(file.content())):
        resize(each, [1, 2, 5, 16])
        places = {len(d["shape"]): d["index"] for d in each.get_input_details()}
        images = np.linspace(-1, 1, 160, dtype=np.float32).reshape(1, 2, 5, 16)
        for size in ([1, 5, 2, 16], [2, 1, 5, 16]):
            each.set_tensor(places[4], images)
            each.set_tensor(places[1], np.array(size, np.int32))
            each.invoke()
            results.append(each.get_tensor(each.get_output_details()[0]["index"]))
    assert difference(results[:2], results[2:]) <= 1e-5


def test_sizes_that_the_file_does_not_know(rng, interpreter, claim):
    """Then it holds sizes of 1, which let any two tensors be of the same shape."""
    file = SmallFile()
    x = file.input([1, 1, 1, 16])
    y = file.conv(x, block_kernel(rng, (64, 1, 1, 16), 8))
    y = file.depthwise(y, rng.normal(size=(1, 3, 3, 64)), stride=2)
    y = file.conv(y, block_kernel(rng, (16, 1, 1, 64), 8))
    file.output(file.add(y, file.mean(x)))
    for tensor in file.graph.tensors:
        if tensor.buffer == 0 and len(tensor.shape) == 4:
            tensor.shapeSignature = np.array([1, -1, -1, tensor.shape[3]], np.int32)
    loaded, verdicts = claim(file.content())
    assert "inverted residual of 3 operators" in verdicts[0]["reason"]
    stock = interpreter(file.content())
    resize(loaded, [1, 9, 12, 16])
    resize(stock, [1, 9, 12, 16])
    assert difference(invoke(loaded), invoke(stock)) <= 1e-5


def test_the_cost_gate_leaves_what_gets_no_faster(rng, claim):
    content = network(rng, n=1, density=0.6)
    _, verdicts = claim(content, {"cost_gate": "on"})
    assert not any(verdict["claimed"] for verdict in verdicts)
    assert all(
        verdict["reason"].startswith("It is not expected to get faster: the runtime's ")
        for verdict in verdicts[1:]
    )
    _, verdicts = claim(content, {"cost_gate": "off"})
    assert all(verdict["claimed"] for verdict in verdicts[1:])


def test_the_cost_gate_takes_what_does(rng, claim):
    _, verdicts = claim(network(rng, n=16, density=0.1), {"cost_gate": "on"})
    assert sum(verdict["claimed"] for verdict in verdicts) >= 2


def test_a_kernel_smaller_than_its_window_is_an_error(rng, claim):
    file = SmallFile()
    kernel = block_kernel(rng, (32, 3, 3, 16), 8)
    x = file.input([1, 4, 4, 16])
    file.output(file.conv(x, kernel, padding=1))
    loaded, _ = claim(file.content())
    with pytest.raises(RuntimeError, match="onexn delegate: the input of"):
        resize(loaded, [1, 2, 2, 16])


def test_what_ran_is_printed_once(rng, interpreter, monkeypatch, capfd):
    monkeypatch.setenv("ONEXN_DEBUG", "1")
    loaded = interpreter(network(rng, blocks=1), {"cost_gate": "off"})
    capfd.readouterr()
    invoke(loaded)
    first = [line for line in capfd.readouterr().err.splitlines() if "onexn:" in line]
    invoke(loaded)
    assert "onexn:" not in capfd.readouterr().err
    assert len(first) == 3
    assert "1x6x6x16 -> 1x6x6x16, first run" in first[0]
