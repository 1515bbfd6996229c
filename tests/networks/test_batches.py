import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfmot_onexn.networks.batches import Batches, Dataset
from tfmot_onexn.networks.images import ArrayImages, EncodedImages


@pytest.fixture
def pixels():
    """Ten images, each of one shade."""
    shades = np.arange(10, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(shades, (10, 8, 8, 3)).copy()


def test_batches_cover_all_images_in_an_order_of_seed_and_epoch(pixels):
    labels = np.arange(10)

    def orders(first_epoch, epochs, seed=0):
        batches = Batches(
            ArrayImages(pixels),
            labels,
            4,
            seed=seed,
            first_epoch=first_epoch,
            preprocessing="none",
        )
        for _ in range(epochs):
            assert len(batches) == 3
            for index in range(3):
                inputs, wanted = batches[index]
                assert len(inputs) == (4, 4, 2)[index]
                np.testing.assert_array_equal(inputs[:, 0, 0, 0], wanted)
            yield np.concatenate([batches[i][1] for i in range(3)]).tolist()
            batches.on_epoch_end()

    first, second, third = orders(0, 3)
    assert sorted(first) == sorted(second) == labels.tolist()
    assert first != second != third
    assert list(orders(1, 2)) == [second, third]
    assert next(orders(0, 1, seed=1)) != first


def test_epochs_begun_anew_see_the_same_pixels(rng):
    images = ArrayImages(rng.integers(0, 256, (10, 8, 8, 3), np.uint8))

    def epochs(first_epoch, count):
        batches = Batches(
            images,
            np.arange(10),
            4,
            seed=7,
            first_epoch=first_epoch,
            augmentation="crop_flip",
        )
        for _ in range(count):
            yield np.concatenate([batches[i][0] for i in range(len(batches))])
            batches.on_epoch_end()

    whole = list(epochs(0, 3))
    np.testing.assert_array_equal(list(epochs(1, 2)), whole[1:])
    assert not np.array_equal(whole[1], whole[2])


@hypothesis.given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5))
def test_shares_of_a_batch_are_the_batch_and_weigh_as_much(count, batch_size, parts):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    loss = np.random.default_rng(1).normal(size=count)
    batches = Batches(
        ArrayImages(pixels),
        np.arange(count),
        batch_size,
        seed=1,
        augmentation="crop_flip",
    )
    for index in range(len(batches)):
        shares = [batches.share(index, part, parts) for part in range(parts)]
        inputs, labels = batches[index]
        for position, whole in enumerate((inputs, labels)):
            own = [share[position][share[2] > 0] for share in shares]
            np.testing.assert_array_equal(np.concatenate(own), whole)
        means = [np.mean(weights * loss[kept]) for _, kept, weights in shares]
        assert np.mean(means) == pytest.approx(loss[labels].mean(), rel=1e-5)
        sizes = [len(share[1]) for share in shares]
        assert 1 <= min(sizes) <= max(sizes) <= min(sizes) + 1


@pytest.fixture
def dataset(pixels):
    train, test = ArrayImages(pixels[:6]), ArrayImages(pixels[6:])
    return Dataset("shades", train, np.arange(6) % 3, test, np.arange(4) % 3, 3)


def test_a_dataset_tests_in_order_and_trains_in_any(dataset, pixels):
    assert dataset.image_shape == (8, 8, 3)
    inputs, labels = dataset.test_batches()[0]
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs, pixels[6:] / 127.5 - 1, rtol=1e-6)
    assert labels.tolist() == [0, 1, 2, 0]
    inputs, labels = dataset.train_batches(6, seed=1)[0]
    assert sorted(labels) == [0, 0, 1, 1, 2, 2]
    assert labels.tolist() != [0, 1, 2, 0, 1, 2]
    assert len(dataset.test_batches(3)) == 2


def test_a_dataset_knows_its_augmentation_and_preprocessing(dataset, pixels):
    parts = (dataset.train_images, dataset.train_labels)
    parts += (dataset.test_images, dataset.test_labels)
    moved = Dataset("x", *parts, 3, augmentation="crop_flip", preprocessing="none")
    assert moved.usual_augmentation() == "crop_flip"
    assert moved.usual_augmentation("none") == "none"
    whole = moved.train_batches(6, augmentation="none")[0][0]
    cropped = moved.train_batches(6)[0][0]
    assert not np.array_equal(whole, cropped)
    assert (whole.max(), cropped.max()) == (5, 5)
    # what is tested on stays as it is
    np.testing.assert_array_equal(moved.test_batches()[0][0], pixels[6:])


def test_names_that_do_not_exist_are_refused(dataset):
    with pytest.raises(ValueError, match="Unknown augmentation 'some'"):
        dataset.train_batches(2, augmentation="some")
    with pytest.raises(ValueError, match="Unknown preprocessing 'some'"):
        Batches(dataset.train_images, dataset.train_labels, 2, preprocessing="some")


def test_labels_that_do_not_fit_are_refused(pixels):
    images, labels = ArrayImages(pixels), np.arange(10)
    for train, test, classes, names, message in [
        (labels[:9], labels, 10, (), r"x has 10 training images and labels of shape"),
        (labels, labels[:, None], 10, (), r"10 test images and .* shape \(10, 1\)"),
        (labels, labels, 9, (), r"training labels from 0 to 9; its 9 classes are 0 to"),
        (labels, labels - 1, 10, (), r"x has test labels from -1 to 8"),
        (labels, labels, 10, ("a", "b"), r"x has 2 class names for 10 classes"),
    ]:
        with pytest.raises(ValueError, match=message):
            Dataset("x", images, train, images, test, classes, names)


def test_what_is_wrong_with_an_image_is_told_plainly(tmp_path, dataset):
    """Keras wraps exceptions from its data threads into TensorFlow's."""
    names = [str(tmp_path / f"{index}.png") for index in range(6)]
    for name in names[1:]:
        tf_keras.utils.save_img(name, np.zeros((8, 8, 3)))
    batches = Batches(EncodedImages(names, 8), np.zeros(6, np.int64), 1)
    # Keras looks at the first batch beforehand, and that one is whole
    assert batches[0][0].shape == (1, 8, 8, 3)
    model = tf_keras.Sequential(
        [tf_keras.layers.Flatten(input_shape=(8, 8, 3)), tf_keras.layers.Dense(2)]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    for call in (model.fit, model.evaluate):
        with (
            pytest.raises(ValueError, match=r"^Cannot read the image .*0.png"),
            batches.plain_errors(),
        ):
            call(batches, verbose=0)
    with (
        pytest.raises(tf.errors.AbortedError, match="another"),
        dataset.test_batches().plain_errors(),
    ):
        raise tf.errors.AbortedError(None, None, "another")


def _same(streamed, wanted):
    for own, other in zip(streamed, wanted, strict=True):
        for found, expected in zip(own, other, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_streams_are_the_batches_of_an_epoch_and_of_those_that_follow(rng):
    images = ArrayImages(rng.integers(0, 256, (10, 8, 8, 3), np.uint8))

    def batches():
        return Batches(images, np.arange(10), 4, seed=7, augmentation="crop_flip")

    walked = batches()
    first = [walked[index] for index in range(3)]
    walked.on_epoch_end()
    second = [walked[index] for index in range(3)]
    _same(batches().once(), first)
    endless = batches().endless()
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    _same(endless.take(6), first + second)

    shares = batches().endless_shares(range(1, 3), 4).take(7)
    walked = batches()
    wanted = [walked.share(i, part, 4) for i in range(3) for part in (1, 2)]
    walked.on_epoch_end()
    _same(shares, [*wanted, walked.share(0, 1, 4)])
