import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import convert, flatbuffer, interpreter, kernels, validation


@pytest.fixture
def model(sparse_file):
    return flatbuffer.read_file(sparse_file)


@pytest.fixture(scope="session")
def half_file(pruned_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "half.tflite"
    convert.convert_to_tflite(pruned_model, path, float16=True)
    return path


def graph_of(model):
    return model.subgraphs[0]


def operator_named(model, name):
    code = getattr(schema.BuiltinOperator, name)
    operators = graph_of(model).operators
    return next(o for o in operators if flatbuffer.operator_of(model, o) == code)


def constant_tensor(model):
    return next(
        t
        for t in graph_of(model).tensors
        if t.sparsity is None and flatbuffer.constant(model, t) is not None
    )


def ints(*items):
    return np.array(items, np.int32)


def damage_version(model):
    model.version = 2


def fill_buffer_0(model):
    model.buffers[0].data = np.zeros(4, np.uint8)


def move_buffer(model):
    model.buffers[3].offset, model.buffers[3].size = 2**64 - 4, 8


def damage_metadata(model):
    model.metadata[0].buffer = 10_000


def name_no_metadata(model):
    model.metadata[0].name = None


def damage_code(model):
    graph_of(model).operators[0].opcodeIndex = 99


def damage_operator(model):
    graph_of(model).operators[0].inputs = ints(9_999)


def damage_intermediates(model):
    graph_of(model).operators[0].intermediates = ints(-2)


def damage_operator_outputs(model):
    graph_of(model).operators[0].outputs = ints(-1)


def damage_outputs(model):
    graph_of(model).outputs = ints(-2)


def damage_buffer(model):
    constant_tensor(model).buffer = 10_000


def drop_bias(model):
    """TensorFlow Lite crashes on a depthwise convolution without one."""
    layer = operator_named(model, "DEPTHWISE_CONV_2D")
    layer.inputs = layer.inputs[:2]


def drop_kernel(model):
    layer = operator_named(model, "FULLY_CONNECTED")
    layer.inputs = ints(layer.inputs[0], -1, layer.inputs[2])


def drop_addend(model):
    add = operator_named(model, "ADD")
    add.inputs = ints(add.inputs[0], -1)


def drop_output(model):
    operator_named(model, "FULLY_CONNECTED").outputs = None


def give_others_options(model):
    """What a file looks like whose operator code was changed."""
    add = operator_named(model, "ADD")
    other = operator_named(model, "FULLY_CONNECTED")
    add.builtinOptionsType = other.builtinOptionsType
    add.builtinOptions = other.builtinOptions


def write_variable(model):
    """Runtimes crash on it."""
    output = operator_named(model, "DEPTHWISE_CONV_2D").outputs[0]
    graph_of(model).tensors[output].isVariable = True


def add_axes(model):
    constant_tensor(model).shape = np.ones(100, np.int32)


def make_negative(model):
    graph_of(model).tensors[0].shape = ints(1, -8, 8, 3)


def make_huge(model):
    graph_of(model).tensors[0].shape = ints(1, 2**16, 2**16, 3)


def damage_signature_sizes(model):
    graph_of(model).tensors[0].shapeSignature = ints(-1, 8, 7, 3)


def lengthen_signature(model):
    graph_of(model).tensors[0].shapeSignature = ints(-1, 8, 8, 3, 1)


def damage_dense_shape(model):
    tensor = constant_tensor(model)
    tensor.shape = np.array([*tensor.shape, 5], np.int32)


def damage_integer_shape(model):
    axes = graph_of(model).tensors[operator_named(model, "MEAN").inputs[1]]
    axes.shape = ints(3)


def damage_scale(model):
    tensor = graph_of(model).tensors[0]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([np.nan], np.float32)


def damage_zero_point(model):
    tensor = graph_of(model).tensors[0]
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.zeroPoint = np.array([128])


def damage_order(model):
    graph_of(model).operators.reverse()


def read_own_output(model):
    add = operator_named(model, "ADD")
    add.inputs = ints(add.inputs[0], add.outputs[0])


def write_kernel(model):
    layer = operator_named(model, "DEPTHWISE_CONV_2D")
    layer.outputs = layer.inputs[1:2]


def write_input(model):
    operator_named(model, "FULLY_CONNECTED").outputs = graph_of(model).inputs


def write_twice(model):
    graph_of(model).operators.append(graph_of(model).operators[-1])


def give_values_as_input(model):
    layer = operator_named(model, "DEPTHWISE_CONV_2D")
    graph_of(model).inputs = np.concatenate([graph_of(model).inputs, layer.inputs[1:2]])


def drop_last_operator(model):
    graph_of(model).operators.pop()


def damage_signature(model):
    model.signatureDefs[0].inputs[0].tensorIndex = 9_999


def damage_signature_graph(model):
    model.signatureDefs[0].subgraphIndex = 1


def name_no_signature(model):
    model.signatureDefs[0].signatureKey = None


def damage_signature_name(model):
    model.signatureDefs[0].inputs[0].name = b"\xff" * 99


def damage_name(model):
    graph_of(model).tensors[0].name = b"image\xff"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_version, "its schema has version 2, expected 3"),
        (fill_buffer_0, "buffer 0 stores 4 bytes, expected none"),
        (move_buffer, r"buffer 3 ends behind the \d+ bytes of the file"),
        (damage_metadata, "metadata names buffer 10000 or lacks a name"),
        (name_no_metadata, r"metadata names buffer \d+ or lacks a name"),
        (damage_code, "operator code 99 does not exist"),
        (damage_operator, "an operator names tensor 9999 of"),
        (damage_intermediates, "an operator names tensor -2 of"),
        (damage_operator_outputs, "an operator writes tensor -1 of"),
        (damage_outputs, "the graph names tensor -2 of"),
        (damage_buffer, "tensor '.*' names buffer 10000"),
        (drop_bias, r"DEPTHWISE_CONV_2D reads the tensors \[\d+, \d+\], expected 3"),
        (
            drop_kernel,
            r"FULLY_CONNECTED reads the tensors \[\d+, -1, \d+\], exp",
        ),
        (drop_addend, r"ADD reads the tensors \[\d+, -1\], expected 2 of them"),
        (give_others_options, "ADD has options of kind 8, expected 11"),
        (write_variable, "DEPTHWISE_CONV_2D writes tensor '.*', which is given"),
        (drop_output, "FULLY_CONNECTED writes no tensor"),
        (add_axes, "tensor '.*' has 100 axes, expected 32 at most"),
        (make_negative, r"tensor '.*' has the shape \[1, -8, 8, 3\]"),
        (make_huge, r"tensor '.*' has the shape \[1, 65536, 65536, 3\]"),
        (damage_signature_sizes, r"of shape .* has the signature \[-1, 8, 7, 3\]"),
        (lengthen_signature, r"of shape .* has the signature \[-1, 8, 8, 3, 1\]"),
        (damage_dense_shape, r"tensor '.*' of shape .* stores \d+ bytes, expected"),
        (
            damage_integer_shape,
            r"tensor '.*' of shape \[3\] stores 8 bytes, exp.* 12",
        ),
        (damage_scale, r"tensor '.*' has the scale \[nan\]"),
        (damage_zero_point, r"tensor '.*' has the zero point \[128\]"),
        (damage_order, "FULLY_CONNECTED reads tensor '.*' before it is known"),
        (read_own_output, "ADD reads tensor '.*' before it is known"),
        (write_kernel, "DEPTHWISE_CONV_2D writes tensor '.*', which is given"),
        (write_input, "FULLY_CONNECTED writes tensor '.*', which is given"),
        (write_twice, "FULLY_CONNECTED writes tensor '.*', which is given"),
        (give_values_as_input, "the input tensor '.*' has values"),
        (drop_last_operator, "no operator writes the output tensor '.*'"),
        (damage_signature, "a signature names tensor 9999 of"),
        (damage_signature_graph, "a signature names subgraph 1"),
        (name_no_signature, "a signature, or a tensor in it, has the name None"),
        (damage_signature_name, r"a signature, .* has the name b'(\\xff){19}\\x\."),
        (damage_name, "tensor 'image�' has a name that is no text"),
    ],
)
def test_each_fault_is_named_before_a_runtime_sees_the_file(
    model, tmp_path, damage, message
):
    damage(model)
    path = tmp_path / "bad.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(ValueError, match=rf"bad.tflite is damaged: .*{message}.*again"):
        validation.validated(path.read_bytes(), str(path))
    with pytest.raises(ValueError, match=r"bad.tflite is damaged"):
        interpreter.load_interpreter(path)


def test_float16_kernels_keep_their_shape(half_file):
    model = flatbuffer.read_file(half_file)
    restore = operator_named(model, "DEQUANTIZE")
    graph_of(model).tensors[restore.outputs[0]].shape = ints(2, 3)
    for operator in ("DEQUANTIZE", "QUANTIZE"):
        model.operatorCodes[restore.opcodeIndex].builtinCode = getattr(
            schema.BuiltinOperator, operator
        )
        expected = rf"damaged: {operator} makes tensor .* \[2, 3\], expected"
        with pytest.raises(ValueError, match=expected):
            validation.validated(flatbuffer.write(model))


def test_a_variable_may_get_its_first_values_from_float16(half_file):
    model = flatbuffer.read_file(half_file)
    restored = operator_named(model, "DEQUANTIZE").outputs[0]
    graph_of(model).tensors[restored].isVariable = True
    validation.validated(flatbuffer.write(model))


def test_names_in_messages_stay_short(model):
    tensor = graph_of(model).tensors[0]
    tensor.name, tensor.shape = b"x" * 5_000, ints(-1)
    with pytest.raises(ValueError, match=r"tensor 'x{200}…' has the shape"):
        validation.validated(flatbuffer.write(model))


def test_a_kernel_out_of_proportion_to_the_file_is_refused(model):
    """One stored value restores to 2 GB."""
    tensor = next(t for t in graph_of(model).tensors if t.sparsity is not None)
    sparsity = tensor.sparsity
    tensor.shape = ints(1, 1, 1, 2**29)
    sparsity.traversalOrder, sparsity.blockMap = ints(0, 3, 1, 2), ints()
    one = schema.DimensionMetadataT()
    one.denseSize = 1
    level = sparsity.dimMetadata[1]
    level.arraySegments.values = level.arraySegments.values[:0]
    level.arraySegments.values = np.array([0, 1], level.arrayIndices.values.dtype)
    level.arrayIndices.values = np.array([7], level.arrayIndices.values.dtype)
    sparsity.dimMetadata = [one, level, one, one]
    model.buffers[tensor.buffer].data = np.zeros(4, np.uint8)
    for other in graph_of(model).tensors:
        if other.name == tensor.name + b"/densified":
            other.shape = tensor.shape
    with pytest.raises(ValueError, match=r"its weights take 21\d{8} bytes, expected"):
        validation.validated(flatbuffer.write(model), "small.tflite")


def test_tensors_that_share_values_count_each(model, monkeypatch):
    monkeypatch.setattr(validation, "_FREE_WEIGHT_BYTES", 0)
    monkeypatch.setattr(validation, "_MOST_WEIGHT_BYTES_PER_FILE_BYTE", 4)
    validation.validated(flatbuffer.write(model))
    layer = operator_named(model, "DEPTHWISE_CONV_2D")
    kernel = graph_of(model).tensors[layer.inputs[1]]
    graph_of(model).tensors += [kernel] * 1_000
    with pytest.raises(ValueError, match=r"its weights take \d+ bytes, expected \d+"):
        validation.validated(flatbuffer.write(model))


def test_weights_are_no_more_than_a_dense_file_holds(model, monkeypatch):
    monkeypatch.setattr(validation, "_MOST_WEIGHT_BYTES", 10)
    with pytest.raises(ValueError, match=r"its weights take \d+ bytes, expected 10 at"):
        validation.validated(flatbuffer.write(model))


def test_a_good_file_passes(sparse_file, half_file):
    for path in (sparse_file, half_file):
        model = validation.validated(path.read_bytes())
        assert any(t.sparsity is not None for t in graph_of(model).tensors)
        assert len(kernels.read(model)) == 6


def test_what_a_file_may_leave_out_is_no_fault(model):
    """Empty constants, variables, a bias of a fully connected layer, signatures."""
    layer = operator_named(model, "FULLY_CONNECTED")
    layer.inputs = ints(*layer.inputs[:2], -1)
    model.signatureDefs = model.metadata = None
    for change in ({"shape": ints(0)}, {"isVariable": True}):
        tensor = schema.TensorT()
        for name, value in change.items():
            setattr(tensor, name, value)
        graph_of(model).tensors.append(tensor)
        pack = schema.OperatorT()
        pack.inputs = ints(len(graph_of(model).tensors) - 1)
        pack.outputs = ints(len(graph_of(model).tensors))
        pack.opcodeIndex = len(model.operatorCodes)
        graph_of(model).tensors.append(schema.TensorT())
        graph_of(model).operators.append(pack)
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.PACK
    model.operatorCodes.append(code)
    validation.validated(flatbuffer.write(model))
