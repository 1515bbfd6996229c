import pytest
import tf_keras
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
]


@pytest.mark.parametrize(("one", "final"), SCHEDULES)
def test_final_sparsity_and_config_round_trip(one, final):
    assert schedule.final_sparsity(one) == final
    again = schedule.deserialize(one.get_config())
    assert type(again) is type(one)
    assert again.get_config() == one.get_config()


def test_a_schedule_of_the_users_own_is_found_when_registered():
    @tf_keras.utils.register_keras_serializable("tests")
    class Own(tfmot.ConstantSparsity):
        def get_config(self):
            return {**super().get_config(), "class_name": "tests>Own"}

    again = schedule.deserialize(Own(0.5, 0).get_config())
    assert isinstance(again, Own)
