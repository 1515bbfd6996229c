import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.pruning import schedule


def test_one_shot_never_asks_for_an_update():
    for step in (0, 1, 100):
        prune, sparsity = schedule.OneShot(0.75)(step)
        assert not prune
        assert float(sparsity) == 0.75


@pytest.mark.parametrize("sparsity", [-0.5, 1, 50])
def test_a_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(ValueError, match=r"lie in \[0, 1\)"):
        schedule.OneShot(sparsity)


SCHEDULES = [
    (schedule.OneShot(0.25), 0.25),
    (tfmot.ConstantSparsity(0.5, 3), 0.5),
    (tfmot.PolynomialDecay(0.1, 0.875, 5, 50), 0.875),
    (schedule.SoftUniformRamp(0.75, 3, 40, 7, "exp"), 0.75),
]


@pytest.mark.parametrize(("one", "final"), SCHEDULES)
def test_final_sparsity_and_config_round_trip(one, final):
    assert schedule.final_sparsity(one) == final
    again = schedule.deserialize(one.get_config())
    assert type(again) is type(one)
    assert again.get_config() == one.get_config()


def test_the_final_sparsity_is_a_number_inside_a_graph_too():
    found = []

    @tf.function
    def traced():
        found.extend(schedule.final_sparsity(one) for one, _ in SCHEDULES)

    traced()
    assert found == [final for _, final in SCHEDULES]
    assert {type(value) for value in found} == {float}


def test_a_schedule_of_the_users_own_is_found_when_registered():
    @tf_keras.utils.register_keras_serializable("tests")
    class Own(tfmot.ConstantSparsity):
        def get_config(self):
            return {**super().get_config(), "class_name": "tests>Own"}

    again = schedule.deserialize(Own(0.5, 0).get_config())
    assert isinstance(again, Own)


RAMPS = {
    "cubic": lambda x: x**3,
    "linear": lambda x: x,
    "cos": lambda x: 1 - math.cos(math.pi * x / 2),
    "exp": lambda x: (1 - math.exp(-8.5 * x)) / (1 - math.exp(-8.5)),
}


def run(one, steps):
    """Returns when a schedule renews masks, and the sparsity at each step."""
    answers = [one(tf.constant(step, tf.int64)) for step in range(steps)]
    due = [step for step, (prune, _) in enumerate(answers) if prune]
    return due, np.array([float(sparsity) for _, sparsity in answers])


@pytest.mark.parametrize("ramp", RAMPS)
def test_a_ramp_rises_from_0_to_its_target_and_stays(ramp):
    due, sparsities = run(schedule.SoftUniformRamp(0.75, 10, 30, 6, ramp), 40)
    assert due == [10, 16, 22, 28, 30]
    assert (sparsities[:11] == 0).all()
    assert (sparsities[30:] == 0.75).all()
    expected = [0.75 * RAMPS[ramp]((step - 10) / 20) for step in range(10, 30)]
    np.testing.assert_allclose(sparsities[10:30], expected, rtol=1e-5, atol=1e-7)


@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(1, 12),
    st.sampled_from([*RAMPS]),
)
def test_the_last_renewal_is_at_the_end_and_at_the_target(begin, length, every, ramp):
    end = max(1, begin + length)
    due, sparsities = run(schedule.SoftUniformRamp(0.3, begin, end, every, ramp), 80)
    assert due[-1] == end
    assert sparsities[end] == np.float32(0.3)
    assert (np.diff(sparsities) >= 0).all()


def test_a_ramp_in_epochs_renews_before_the_first_step_of_an_epoch():
    half = schedule.SoftUniformRamp.from_epochs(0.5, 1, 4, 10, ramp="linear")
    due, sparsities = run(half, 60)
    assert due == [11, 21, 31, 41]
    np.testing.assert_allclose(sparsities[due], [0, 1 / 6, 1 / 3, 0.5])
    often = schedule.SoftUniformRamp.from_epochs(0.5, 0, 1, 10, interval=0.5)
    assert run(often, 60)[0] == [1, 6, 11]
    at_once = schedule.SoftUniformRamp.from_epochs(0.5, 0, 0, 10)
    assert run(at_once, 60)[0] == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 1, 2), r"lie in \[0, 1\)"),
        ((0.5, 5, 4), r"found begin_step=5, end_step=4.*from_epochs"),
        ((0.5, -1, 4), "found begin_step=-1"),
        ((0.5, 0, 0), "end_step=0"),
        ((0.5, 1, 2, 0), "frequency=0"),
        ((0.5, 1, 2, 1, "square"), r"ramp 'square'.*\['cubic', 'linear', 'cos', 'exp'"),
    ],
)
def test_a_ramp_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        schedule.SoftUniformRamp(*arguments)


@pytest.mark.parametrize(("one", "final"), SCHEDULES[:3])
@pytest.mark.parametrize("sparsity", [0.0, 0.2, 0.9])
def test_a_schedule_can_end_with_another_sparsity(one, final, sparsity):
    changed = schedule.with_final_sparsity(one, sparsity)
    assert type(changed) is type(one)
    assert schedule.final_sparsity(changed) == pytest.approx(sparsity)
    assert schedule.final_sparsity(one) == final
    steps = [5, 20, 40, 60]
    values = [float(changed(tf.constant(step, tf.int64))[1]) for step in steps]
    assert values == sorted(values)
    before, after = one.get_config()["config"], changed.get_config()["config"]
    spared = {"target_sparsity", "initial_sparsity", "final_sparsity"}
    assert {k: v for k, v in before.items() if k not in spared} == {
        k: v for k, v in after.items() if k not in spared
    }


def test_a_schedule_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"SoftUniformRamp cannot be given a sparsity"):
        schedule.with_final_sparsity(schedule.SoftUniformRamp(0.5, 0, 10), 0.3)
