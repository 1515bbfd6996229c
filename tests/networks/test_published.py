import gzip
import pickle

import numpy as np
import pytest
import tf_keras

from tfmot_onexn.networks import published


def short(text):
    return b"U" + bytes([len(text)]) + text


def python2_pickle(pixels, labels, label_key):
    """The bytes of a CIFAR file, which Python 2 wrote: NumPy's old names, no flags."""
    raw = pixels.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
    array += short(b"b") + b"\x87R(K\1K" + bytes([len(pixels)]) + b"M\0\x0c\x86"
    array += b"cnumpy\ndtype\n" + short(b"u1") + b"K\0K\1\x87R(K\3" + short(b"|")
    array += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
    array += b"T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    items = b"".join(b"K" + bytes([label]) for label in labels)
    return (
        b"\x80\2}(" + short(b"data") + array + short(label_key) + b"](" + items + b"eu."
    )


def names_pickle(key, names):
    items = b"".join(short(name.encode()) for name in names)
    return b"\x80\2}(" + short(key) + b"](" + items + b"eu."


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (12, 3, 32, 32), np.uint8)


@pytest.fixture
def cifar10(tmp_path, pixels):
    for index in range(6):
        name = "test_batch" if index == 5 else f"data_batch_{index + 1}"
        part = pixels[2 * index : 2 * index + 2].reshape(2, -1)
        (tmp_path / name).write_bytes(python2_pickle(part, [index, 9], b"labels"))
    names = [f"class{index}" for index in range(10)]
    (tmp_path / "batches.meta").write_bytes(names_pickle(b"label_names", names))
    return tmp_path


def test_cifar10_is_read_as_published(cifar10, pixels):
    data = published.load(cifar10, 32)
    nhwc = pixels.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(data.train_images.take(range(10)), nhwc[:10])
    np.testing.assert_array_equal(data.test_images.take([1, 0]), nhwc[[11, 10]])
    assert data.train_labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert data.test_labels.tolist() == [5, 9]
    assert (data.classes, data.class_names[3]) == (10, "class3")
    assert data.augmentation == "crop_flip"
    assert published.load(cifar10, 96).image_shape == (96, 96, 3)


def test_cifar100_is_read_as_published(tmp_path, pixels):
    for name, part in (("train", pixels[:8]), ("test", pixels[8:])):
        labels = list(range(50, 50 + len(part)))
        content = python2_pickle(part.reshape(len(part), -1), labels, b"fine_labels")
        (tmp_path / name).write_bytes(content)
    names = [str(index) for index in range(100)]
    (tmp_path / "meta").write_bytes(names_pickle(b"fine_label_names", names))
    data = published.load(tmp_path, 32)
    np.testing.assert_array_equal(
        data.test_images.take([3])[0], pixels[11].T.swapaxes(0, 1)
    )
    assert data.train_labels.tolist() == [*range(50, 58)]
    assert (data.classes, data.class_names[99]) == (100, "99")


def test_pickles_written_today_are_read_too(cifar10, pixels):
    content = {b"data": pixels[:3].reshape(3, -1), b"labels": [1, 2, 3]}
    (cifar10 / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    assert published.load(cifar10, 32).train_labels.tolist()[:3] == [1, 2, 3]


def test_cifar_files_that_are_damaged_are_named(cifar10, pixels):
    flat = pixels[:2].reshape(2, -1)
    whole = (cifar10 / "data_batch_2").read_bytes()
    for content, message in [
        (whole[:5000], r"Cannot read the pickle .*data_batch_2"),
        (b"", r"Cannot read the pickle .*data_batch_2"),
        (
            python2_pickle(flat, [1], b"labels"),
            r"data_batch_2 does not hold .*'labels'",
        ),
        (python2_pickle(flat, [1, 2], b"other"), r"data_batch_2 does not hold"),
        (pickle.dumps({b"labels": [1, 2]}), r"data_batch_2 does not hold"),
        (pickle.dumps({b"data": flat[:, 1:], b"labels": [1, 2]}), "does not hold"),
        (pickle.dumps({b"data": flat, b"labels": [1, b"2"]}), "does not hold"),
        (python2_pickle(flat, [1, 10], b"labels"), r"labels from 0 to 10; its 10 cl"),
    ]:
        (cifar10 / "data_batch_2").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            published.load(cifar10, 32)
    (cifar10 / "data_batch_2").unlink()
    with pytest.raises(ValueError, match=r"No file .*data_batch_2; the folder is not"):
        published.load(cifar10, 32)
    (cifar10 / "data_batch_2").write_bytes(whole)
    (cifar10 / "batches.meta").write_bytes(pickle.dumps({b"label_names": 3}))
    with pytest.raises(ValueError, match=r"batches.meta does not hold .*label_names"):
        published.load(cifar10, 32)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


@pytest.fixture
def fashion(tmp_path, pixels):
    for part, images in (
        ("train", pixels[:8, 0, :28, :28]),
        ("t10k", pixels[8:, 0, 4:, 4:]),
    ):
        labels = np.arange(len(images), dtype=np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = tmp_path / f"{part}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(idx(array)))
    return tmp_path


def test_fashion_mnist_is_read_as_published(fashion, pixels):
    data = published.load(fashion, 28)
    taken = data.test_images.take([2])[0]
    np.testing.assert_array_equal(taken, pixels[10, 0, 4:, 4:, None].repeat(3, 2))
    assert data.train_labels.tolist() == [*range(8)]
    assert data.augmentation == "none"
    assert published.load(fashion, 32).image_shape == (32, 32, 3)


def test_idx_files_that_are_damaged_are_named(fashion, pixels):
    path = fashion / "t10k-images-idx3-ubyte.gz"
    whole = idx(pixels[8:, 0, 4:, 4:])
    for content, message in [
        (whole, "Cannot unpack .*t10k-images.*gz"),
        (gzip.compress(whole)[:-100], "Cannot unpack"),
        (gzip.compress(whole[:-1]), r"t10k-images.*no IDX file of bytes with 3 axes"),
        (gzip.compress(whole[:9]), "no IDX file"),
        (gzip.compress(b""), "no IDX file"),
        (gzip.compress(b"\0\0\x0d" + whole[3:]), "no IDX file"),
        (gzip.compress(idx(np.zeros(3, np.uint8))), "no IDX file"),
        (gzip.compress(idx(pixels[:3, 0])), r"3 test images and labels of shape \(4,"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            published.load(fashion, 28)
    path.unlink()
    with pytest.raises(ValueError, match=r"No file .*t10k-images.* not complete"):
        published.load(fashion, 28)


def test_other_folders_are_left_to_others(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "meta").write_text("something else")
    assert published.load(tmp_path, 32) is None


@pytest.mark.parametrize("name", published.NAMES)
def test_the_downloader_gives_the_same(monkeypatch, name, pixels):
    images = pixels[:, 0, :28, :28] if "mnist" in name else pixels.transpose(0, 2, 3, 1)
    labels = np.arange(12, dtype=np.uint8) % 10
    columns = labels if "mnist" in name else labels[:, None]
    module = getattr(tf_keras.datasets, name)
    both = ((images[:8], columns[:8]), (images[8:], columns[8:]))
    monkeypatch.setattr(module, "load_data", lambda: both)
    data = published.download(name, images.shape[1])
    assert data.name == name
    assert data.classes == (100 if name == "cifar100" else 10)
    assert len(data.class_names) == (0 if name == "cifar100" else 10)
    assert data.test_labels.tolist() == labels[8:].tolist()
    expected = images[9] if images.ndim == 4 else images[9, ..., None].repeat(3, 2)
    np.testing.assert_array_equal(data.test_images.take([1])[0], expected)


def test_a_download_that_fails_names_the_remedy(monkeypatch):
    def fail():
        raise Exception("URL fetch failure on somewhere: None")

    monkeypatch.setattr(tf_keras.datasets.cifar100, "load_data", fail)
    with pytest.raises(
        ValueError, match=r"Cannot get cifar100 .*: URL fetch failure .*Give the folder"
    ):
        published.download("cifar100", 32)
