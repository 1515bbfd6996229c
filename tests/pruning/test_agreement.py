"""What two replicas may differ in is tested in `test_distribution.py`."""

import tensorflow as tf
import tf_keras
from training import tiny_network

from tfmot_onexn.pruning import agreement, prune


def test_state_leaves_out_what_each_replica_keeps_for_itself():
    norm = tf_keras.layers.BatchNormalization(input_shape=(3,))
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = tf_keras.Sequential([norm])
        model.compile(tf_keras.optimizers.SGD(0.1, momentum=0.9))
        model.optimizer.build(model.trainable_variables)
    names = [name.split(" ")[0].split("/")[-1] for name in agreement.state(model)]
    assert names == [*("gamma:0", "beta:0"), "iteration:0", *("gamma:0", "beta:0")]


def test_every_mask_has_a_name():
    pruned = prune.prune_filters(tiny_network())
    masks = agreement.masks(pruned)
    assert list(masks) == ["mask of point (0)", "mask of point (1)"]
    assert [mask.shape for mask in masks.values()] == [(1, 1, 8, 8), (8,)]


def test_one_device_agrees_with_itself():
    agreement.require_same(tf.distribute.get_strategy(), {"settings": {"n": 4}})
