"""From Relax to a list of kernel calls."""

import tvm
from tvm import relax, tirx

from tfmot_onexn.tvm.plan_program import Call, Port, Program

# their results have the bytes of their operands
_VIEWS = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten")


def lower(module: tvm.IRModule) -> tuple[Program, tvm.IRModule]:
    """Turns a Relax module into kernel calls.

    Operators that are no kernels yet become TVM's own, without a schedule; those that
    only change a shape become views.

    Args:
      module: whose function "main" has static shapes and no control flow.

    Returns:
      The calls, and the kernels.

    Raises:
      ValueError: for what a plan cannot have.
    """
    if "main" not in [variable.name_hint for variable in module.get_global_vars()]:
        raise ValueError('A plan is built from the function "main"; there is none.')
    module = relax.transform.LegalizeOps(skip_ops=list(_VIEWS))(module)
    module = relax.transform.DeadCodeElimination()(module)
    lowering = _Lowering()
    lowering.function(module["main"])
    kernels = {
        name: module[name].with_attr("global_symbol", name)
        for name in lowering.program.kernels
    }
    return lowering.program, tvm.IRModule(kernels)


class _Lowering:
    """Reads "main", binding after binding."""

    def __init__(self) -> None:
        self.program = Program()
        # of a variable: its tensor, or the tensors of a tuple
        self.values: dict[relax.Var, int | list[int]] = {}

    def function(self, function: relax.Function) -> None:
        for parameter in function.params:
            name = parameter.name
            tensor = self.program.add(*_static(name, parameter.ty))
            self.values[parameter] = tensor
            self.program.inputs.append(Port(name, tensor))
        body = function.body
        for block in body.blocks:
            for binding in block.bindings:
                self.values[binding.var] = self.bind(binding)
        result = self.value("the output", body.body)
        if isinstance(result, int):
            self.program.outputs.append(Port("output", result))
        else:
            for index, tensor in enumerate(result):
                self.program.outputs.append(Port(f"output_{index}", tensor))

    def bind(self, binding: relax.Binding) -> int | list[int]:
        name = binding.var.name
        if not isinstance(binding, relax.VarBinding):
            raise ValueError(
                f"{name}: a plan needs shapes that are known when it is built. Fix the "
                "batch and the size of the input."
            )
        value = binding.value
        if isinstance(value, relax.Call):
            return self.call(name, value, binding.var.ty)
        if isinstance(value, relax.TupleGetItem):
            items = self.value(name, value.tuple_value)
            return items if isinstance(items, int) else items[value.index]
        return self.value(name, value)

    def call(self, name: str, call: relax.Call, result: tvm.ir.Type) -> int | list[int]:
        operator = getattr(call.op, "name", None) or str(call.op)
        if operator in _VIEWS:
            operand = self.program.tensors[self.tensor(name, call.args[0])]
            return self.program.view(operand.buffer, *_static(name, result))
        if operator != "relax.call_tir" or len(call.args) != 2:
            raise ValueError(
                f"{name}: {operator} is no kernel, so a plan cannot have it. Build for "
                'TVM\'s virtual machine: format="vm".'
            )
        kernel, arguments = call.args
        reads = self.value(name, arguments)
        several = isinstance(result, tvm.ir.TupleType)
        writes = [
            self.program.add(*_static(name, one))
            for one in (result.fields if several else [result])
        ]
        reads = reads if isinstance(reads, list) else [reads]
        self.program.calls.append(
            Call(kernel.name_hint, (*reads, *writes), len(writes))
        )
        return writes if several else writes[0]

    def value(self, name: str, value: relax.Expr) -> int | list[int]:
        """Returns the tensor, or the tensors of a tuple, that an expression means."""
        if isinstance(value, relax.Tuple):
            return [self.tensor(name, field) for field in value.fields]
        if isinstance(value, tvm.ir.GenericConst):
            content = value.value.numpy()
            return self.program.add(content.shape, content.dtype.name, content)
        if value in self.values:
            return self.values[value]
        raise ValueError(
            f"{name}: a plan cannot have a {type(value).__name__} here; it takes "
            "tensors, constants and tuples of them."
        )

    def tensor(self, name: str, value: relax.Expr) -> int:
        """Returns the tensor that an expression means."""
        found = self.value(name, value)
        if isinstance(found, list):
            raise ValueError(f"{name}: a plan cannot have a tuple in a tuple.")
        return found


def _static(name: str, kind: tvm.ir.Type) -> tuple[tuple[int, ...], str]:
    """Returns the shape and dtype of a type.

    Raises:
      ValueError: if it is not a tensor of one shape.
    """
    if not isinstance(kind, relax.TensorType):
        raise ValueError(f"{name} is {kind}; a plan takes and gives tensors.")
    sizes = kind.shape.values if isinstance(kind.shape, relax.ShapeExpr) else None
    if sizes is None or not all(isinstance(size, tirx.IntImm) for size in sizes):
        raise ValueError(
            f"{name} is {kind}; a plan needs shapes that are known when it is built. "
            "Fix the batch and the size of the input."
        )
    return tuple(int(size) for size in sizes), str(kind.dtype)
