import os

import numpy as np
import pytest
import tf_keras
from calibration import photographs
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """Twelve images without labels."""
    images = tmp_path / "images" / "some"
    images.mkdir(parents=True)
    for index, pixels in enumerate(photographs(12)):
        image = np.clip(128 + 40 * pixels, 0, 255).astype(np.uint8)
        Image.fromarray(image).save(images / f"{index}.png")
    return images.parent


def kernels(path):
    model = tf_keras.models.load_model(path, compile=False)
    return {name: model.get_layer(name).kernel.numpy() for name in ("expand", "head")}


def test_a_model_is_pruned_on_images_without_labels(
    onexn, model_file, folder, tmp_path
):
    path = tmp_path / "out.keras"
    common = ("prune", model_file, "-o", path, "--rearrange", "none")
    code, output, _ = onexn(*common, "--calibrate", folder)
    assert code == 0
    assert f"Saved {path}" in output
    for name, kept in (("expand", "50.0 %"), ("classifier", "100.0 %")):
        assert any(name in row and kept in row for row in output.split("\n"))
    calibrated = kernels(path)
    assert all((kernel == 0).mean() == 0.5 for kernel in calibrated.values())
    onexn(*common)
    masked = kernels(path)
    dense = kernels(model_file)
    for name, kernel in calibrated.items():
        stays = kernel != 0
        assert (masked[name][masked[name] != 0] == dense[name][masked[name] != 0]).all()
        assert not np.allclose(kernel[stays], dense[name][stays], rtol=1e-3)
    assert sorted(os.listdir(tmp_path)) == ["images", "out.keras"]


def test_a_budget_is_divided_among_layers(onexn, model_file, folder, tmp_path):
    path = tmp_path / "out.keras"
    for more in ((), ("--calibrate", folder)):
        code, _, _ = onexn(
            *("prune", model_file, "-o", path, "--allocation", "parameters", *more)
        )
        assert code == 0
        shares = [float((kernel == 0).mean()) for kernel in kernels(path).values()]
        assert abs(shares[0] - shares[1]) > 0.02


def test_what_stands_against_calibration_is_refused(
    onexn, model_file, folder, tmp_path
):
    path = tmp_path / "out.keras"
    (tmp_path / "empty").mkdir()
    for arguments, message in [
        (("--calibrate", tmp_path / "empty"), "No images in"),
        (("--calibrate", tmp_path / "nowhere"), "No images at"),
        (("--calibrate", folder, "--calibration-images", 0), "At least 1 image"),
        (("--calibrate", folder, "--method", "weight"), "--method weight does not go"),
        (
            ("--calibrate", folder, "--data", folder, "--strategy", "mirrored"),
            "works on one device",
        ),
    ]:
        code, _, errors = onexn("prune", model_file, "-o", path, *arguments)
        assert code == 1
        assert message in errors
        assert errors.count("\n") == 1
    assert not path.exists()
