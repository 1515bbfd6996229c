"""Shapes of the 1x1 convolutions of networks, from the lists in ``shapes/``.

One list serves the tests of kernels and the benchmarks. A line has a name, H, W, K, M
and a stride; ``#`` starts a comment.
"""

import dataclasses
import pathlib

LISTS = pathlib.Path(__file__).with_name("shapes")
NETWORKS = tuple(sorted(path.stem for path in LISTS.glob("*.txt")))


@dataclasses.dataclass(frozen=True)
class Shape:
    """A 1x1 convolution.

    Attributes:
      name: of the layer.
      height: of the input.
      width: of the input.
      inputs: channels K.
      outputs: channels M.
      stride: in both directions.
    """

    name: str
    height: int
    width: int
    inputs: int
    outputs: int
    stride: int = 1

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return -(-self.height // self.stride), -(-self.width // self.stride)

    @property
    def pixels(self) -> int:
        """Pixels P of the output."""
        height, width = self.output_size
        return height * width

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer, ``P·K·M``."""
        return self.pixels * self.inputs * self.outputs


def of(network: str) -> list[Shape]:
    """Returns the shapes of a network at 224x224, in its order.

    Raises:
      ValueError: if there is no list of that name.
    """
    if network not in NETWORKS:
        raise ValueError(
            f"There is no list of shapes of {network!r}; choose one of "
            f"{list(NETWORKS)}."
        )
    return read(LISTS / f"{network}.txt")


def read(path: pathlib.Path) -> list[Shape]:
    """Returns the shapes of a list.

    Raises:
      ValueError: if a line is not a shape; the message names it.
    """
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        try:
            height, width, inputs, outputs, stride = map(int, fields[1:])
        except ValueError:
            raise ValueError(
                f"{path}, line {number} is {line.strip()!r}; expected a name and five "
                "whole numbers: H W K M stride."
            ) from None
        if min(height, width, inputs, outputs, stride) < 1:
            raise ValueError(f"{path}, line {number}: a size is below 1.")
        found.append(Shape(fields[0], height, width, inputs, outputs, stride))
    return found


def distinct(shapes: list[Shape]) -> list[Shape]:
    """Returns shapes that differ in more than the name; the first of each stays."""
    found: dict[Shape, Shape] = {}
    for shape in shapes:
        found.setdefault(dataclasses.replace(shape, name=""), shape)
    return list(found.values())
