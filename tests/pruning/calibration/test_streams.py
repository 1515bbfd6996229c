import numpy as np
import pytest
import tf_keras
from calibration import inverted, photographs, random

from tfmot_onexn.graph import calls, surgery
from tfmot_onexn.pruning.calibration.streams import Streams


def doubled(layer):
    twin = surgery.copy_layer(layer)
    twin.build_from_config(layer.get_build_config())
    twin.set_weights([2 * weight for weight in layer.get_weights()])
    return twin


@pytest.mark.parametrize("memory", [0, 30_000, 2**30])
def test_both_networks_are_run_from_wherever_memory_allows(memory):
    model, x = random(inverted), photographs(10)
    other = surgery.copy_model(model)
    other.get_layer("project_0").set_weights(
        [2 * weight for weight in model.get_layer("project_0").get_weights()]
    )
    found = calls.of_model(model)
    index_of = {call.layer.name: index for index, call in enumerate(found.calls)}
    streams = Streams(found, x, 4, memory)
    for name in ("expand_0", "project_0", "depthwise_1", "classifier"):
        source = found.calls[index_of[name]].inputs[0]
        read = {
            m: tf_keras.Model(m.input, m.get_layer(name).input)(x)
            for m in (model, other)
        }
        batches = list(streams.before(index_of[name]))
        dense = np.concatenate([values[source] for values, _ in batches])
        pruned = np.concatenate([values[source] for _, values in batches])
        np.testing.assert_allclose(dense, read[model], atol=1e-5)
        np.testing.assert_allclose(pruned, read[other], atol=1e-5)
        differ = [one[source] is not two[source] for one, two in batches]
        assert set(differ) == {name in ("depthwise_1", "classifier")}
        if name == "project_0":
            layer = model.get_layer(name)
            streams.replace(layer, doubled(layer))


def test_little_is_computed_again_where_memory_allows(monkeypatch):
    found = calls.of_model(random(inverted))
    run, ran = calls.Call.run, []
    monkeypatch.setattr(
        calls.Call, "run", lambda call, *a: ran.append(call) or run(call, *a)
    )
    for memory, times in ((2**30, 1), (0, 3)):
        ran.clear()
        streams = Streams(found, photographs(4), 4, memory)
        for index in (10, 12, 14):
            list(streams.before(index))
        assert ran.count(found.calls[0]) == times
