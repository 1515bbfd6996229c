import hypothesis
from hypothesis import strategies as st

from tfmot_onexn.tvm.memory_plan import ALIGNMENT, Lifetime, aligned, place


@st.composite
def lifetimes(draw):
    first = draw(st.integers(0, 12))
    return Lifetime(draw(st.integers(0, 1000)), first, first + draw(st.integers(0, 5)))


def needed_at_once(buffers):
    """Returns the most bytes that are needed in one step: no plan can do with less."""
    steps = range(20)
    return max(
        sum(aligned(one.size) for one in buffers if one.first <= step <= one.last)
        for step in steps
    )


@hypothesis.given(st.lists(lifetimes(), max_size=12))
def test_buffers_of_one_step_do_not_overlap(buffers):
    offsets, whole = place(buffers)
    ends = [offset + one.size for offset, one in zip(offsets, buffers, strict=True)]
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    assert all(end <= whole for end in ends)
    assert whole >= needed_at_once(buffers)
    for i, one in enumerate(buffers):
        for j in range(i):
            if one.meets(buffers[j]) and one.size and buffers[j].size:
                assert ends[i] <= offsets[j] or ends[j] <= offsets[i]


def test_a_chain_needs_two_buffers():
    chain = [Lifetime(640, step, step + 1) for step in range(9)]
    assert place(chain)[1] == 2 * 640


def test_the_smallest_gap_is_taken():
    always = [Lifetime(size, 0, 9) for size in (512, 256, 128)]
    early = [Lifetime(384, 0, 4), Lifetime(192, 0, 4)]
    late = Lifetime(128, 5, 9)
    offsets, whole = place([*always, *early, late])
    assert whole == sum(one.size for one in (*always, *early))
    # the smaller of the two that the early ones left
    assert offsets[-1] == offsets[4]


def test_nothing_needs_nothing():
    assert place([]) == ([], 0)
