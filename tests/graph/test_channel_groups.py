import numpy as np
import pytest
from tf_keras import layers

from tfmot_onexn.graph import channel_groups as cg


def dense(inputs, outputs):
    layer = layers.Dense(outputs, use_bias=False)
    layer.build((None, inputs))
    return layer


class Written:
    """A trace written by hand, of kernels that make and read channels."""

    def __init__(self):
        self.trace = cg.Trace()

    def makes(self, count):
        layer = dense(3, count)
        numbers = self.trace.made_by(layer, count)
        self.trace.attach(layer, layer.kernel, 1, cg.OUTPUT, numbers)
        return numbers

    def reads(self, numbers):
        layer = dense(len(numbers), 2)
        self.trace.attach(layer, layer.kernel, 0, cg.INPUT, np.asarray(numbers))
        return layer


@pytest.fixture
def written():
    return Written()


def sizes(graph):
    return [group.size for group in graph.groups]


def positions(group, layer):
    (member,) = [m for m in group.members if m.axis.layer is layer]
    return member.positions.tolist()


def test_channels_that_meet_the_same_axes_form_a_group(written):
    a, b = written.makes(4), written.makes(3)
    both = written.reads([*a, *b])
    written.reads(a)
    first, second = written.trace.finish().groups
    assert (first.size, second.size) == (4, 3)
    assert positions(first, both) == [[0, 1, 2, 3]]
    assert positions(second, both) == [[4, 5, 6]]


def test_ties_merge_groups_whatever_their_order(written):
    a, b, c = written.makes(4), written.makes(4), written.makes(4)
    written.trace.tie(a, b)
    written.trace.tie(b[::-1], c)
    (group,) = written.trace.finish().groups
    assert [m.positions.tolist() for m in group.members] == [
        [[0, 1, 2, 3]],
        [[0, 1, 2, 3]],
        [[3, 2, 1, 0]],
    ]


def test_a_tie_with_a_part_divides_the_rest(written):
    a, b = written.makes(6), written.makes(2)
    written.trace.tie(a[:2], b)
    graph = written.trace.finish()
    assert sorted(sizes(graph)) == [2, 4]


def test_repeated_channels_have_a_position_for_each_repeat(written):
    a = written.makes(3)
    flattened = written.reads([*a, *a])
    interleaved = written.reads(np.repeat(a, 2))
    (group,) = written.trace.finish().groups
    assert positions(group, flattened) == [[0, 1, 2], [3, 4, 5]]
    assert positions(group, interleaved) == [[0, 2, 4], [1, 3, 5]]


def test_pins_and_keeps_hold_for_the_whole_group_once(written):
    a, b = written.makes(3), written.makes(3)
    written.trace.pin(a[:1], "first")
    written.trace.pin(a, "first")
    written.trace.pin(a, "second")
    written.trace.keep(b, "third")
    one, other = written.trace.finish().groups
    assert (one.pinned, one.kept) == (("first", "second"), ())
    assert (other.pinned, other.kept) == ((), ("third",))


def test_a_layer_called_twice_ties_what_it_reads(written):
    a, b = written.makes(3), written.makes(3)
    layer = written.reads(a)
    written.trace.attach(layer, layer.kernel, 0, cg.INPUT, b)
    (group,) = written.trace.finish().groups
    assert len(group.producers) == 2


def test_a_trace_of_nothing_has_no_groups(written):
    assert written.trace.finish().groups == ()
