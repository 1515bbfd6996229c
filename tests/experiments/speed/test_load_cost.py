import json

import pytest
import tf_keras

from tfmot_onexn.experiments.speed import load_cost
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.tflite import convert


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Files of 1 and 32 MB."""
    folder, found = tmp_path_factory.mktemp("files"), []
    for channels in (512, 2896):
        model = tf_keras.Sequential(
            [
                tf_keras.layers.Input((2, 2, channels)),
                tf_keras.layers.Conv2D(channels, 1),
            ]
        )
        found.append(str(folder / f"{channels}.tflite"))
        convert.convert_to_tflite(randomize(model), found[-1])
    return found


def test_the_peak_grows_with_the_file_and_is_not_that_of_the_process(paths):
    files = {path: (path, False) for path in paths}
    small, large = load_cost.measure(files, rounds=1).values()
    # mapped, and packed by XNNPACK
    assert 32 < large.peak_mb < 110
    assert 0 < small.peak_mb < 16
    assert min(small.milliseconds, large.milliseconds) > 0


def test_the_delegate_can_be_used(paths, capsys):
    load_cost.main([paths[0], "--delegate"])
    found = load_cost.Cost(**json.loads(capsys.readouterr().out))
    assert found.milliseconds > 0
    assert found.peak_mb > 0


def test_turns_are_tracked(paths):
    seen = []

    def track(items, total, description):
        seen.append((total, description))
        return items

    files = {"stock": (paths[0], False), "delegate": (paths[0], True)}
    found = load_cost.measure(files, rounds=1, track=track)
    assert list(found) == ["stock", "delegate"]
    assert seen == [(2, "Loading in turns")]


def test_a_load_that_fails_is_told(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"none")
    with pytest.raises(ValueError, match=r"Loading .*broken\.tflite ended with 1: "):
        load_cost.measure({"broken": (str(path), False)}, rounds=1)


def test_what_the_system_does_not_tell():
    with pytest.raises(ValueError, match="does not tell VmNone"):
        load_cost._memory("VmNone")
