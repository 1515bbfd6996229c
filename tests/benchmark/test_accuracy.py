import numpy as np
import pytest
import tf_keras
from graphs import images

from tfmot_onexn.benchmark import accuracy, runtimes
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages
from tfmot_onexn.pruning.variants import Variant


def test_agreement_tells_the_model_of_a_file_from_others(files, dense_model):
    x = images(dense_model)
    for method, path in files.items():
        variant = Variant(method, n=8, rearrange="none")
        model = variant.finish(variant.prune(dense_model))
        assert accuracy.agreement(model, path, x) <= 1e-5
        assert accuracy.agreement(model, path, x, runtime="tf_lite") <= 1e-5
        if method != "dense":
            assert accuracy.agreement(dense_model, path, x) > 0.1


def test_features_are_those_before_the_last_pooling(files, dense_model):
    x = images(dense_model)
    features = accuracy.file_features(files["dense"], x)
    assert features.shape == (2, 4, 4, 96)
    expected = tf_keras.Model(dense_model.input, dense_model.layers[-3].output)(x)
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.parametrize("runtime", runtimes.BUILDS)
def test_a_build_computes_the_features_of_its_file(files, dense_model, runtime):
    x = images(dense_model)
    ours = accuracy.build_features(files["onexn"], x, runtime=runtime)
    theirs = accuracy.file_features(files["onexn"], x)
    assert accuracy.relative_error(ours, theirs) <= 1e-5
    dense = accuracy.file_features(files["dense"], x)
    assert accuracy.relative_error(ours, dense) > 0.1


def test_other_shapes_never_agree():
    assert accuracy.relative_error(np.ones((2, 3)), np.ones((2, 4))) == float("inf")
    assert accuracy.relative_error(np.array([1.0, 3.0]), np.array([1.0, 4.0])) == 0.25


def test_accuracy_is_counted_from_the_file(files, dense_model):
    x = images(dense_model, 20)
    scores = dense_model(x).numpy()
    labels = scores.argmax(axis=1)
    labels[:5] = scores[:5].argmin(axis=1)
    none, some = ArrayImages(x[:0]), ArrayImages(x)
    data = Dataset("some", none, labels[:0], some, labels, 4, preprocessing="none")
    found = accuracy.of_file(files["dense"], data)
    assert (found.top1, found.top5, found.images) == (0.75, 1.0, 20)


def test_a_model_without_pooling_has_no_known_features(tmp_path):
    model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match="has no GlobalAveragePooling2D"):
        accuracy.feature_model(model)
