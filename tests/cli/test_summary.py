import json
import os
import subprocess
import sys

import pytest

from tfmot_onexn.networks import models


@pytest.fixture(scope="module")
def pruned_files(tmp_path_factory, model_file):
    """The network of `model_file` pruned, as a model and as a file; and its file."""
    from tfmot_onexn.pruning import policy, prune
    from tfmot_onexn.tflite import convert

    folder = tmp_path_factory.mktemp("pruned")
    dense = models.load(model_file)
    pruned = prune.prune_low_magnitude_1xN(
        dense, 4, pruning_policy=policy.PruneAll(), rearrange="none"
    )
    prune.strip_pruning(pruned).save(folder / "pruned.keras")
    convert.convert_to_tflite(pruned, folder / "pruned.tflite")
    convert.convert_to_tflite(dense, folder / "dense.tflite")
    return folder


def test_models_and_files_are_summarized(onexn, model_file, pruned_files, tmp_path):
    for subject in (model_file, pruned_files / "pruned.tflite"):
        rows = tmp_path / "rows.json"
        code, output, errors = onexn("summary", subject, "--json", rows)
        assert (code, errors) == (0, "")
        assert "6 kernels" in output
        document = json.loads(rows.read_text())
        assert document["schema"] == 1
        assert len(document["layers"]) == 6
        assert document["totals"]["macs"] > 0
        assert document["verdicts"]["x86-64"]["word"] == "dense"
        of_delegate = document["verdicts"]["delegate"]["word"]
        # nothing of a network this small gains
        assert of_delegate == "dense"
        of_layers = {x["verdicts"]["delegate"]["reason"] for x in document["layers"]}
        gate = [reason for reason in of_layers if "not expected to get" in reason]
        assert bool(gate) == (subject != model_file)


def test_the_dense_model_shows_what_is_kept(onexn, model_file, pruned_files, tmp_path):
    rows = tmp_path / "rows.json"
    for subject, dense in (
        (pruned_files / "pruned.keras", model_file),
        (pruned_files / "pruned.tflite", pruned_files / "dense.tflite"),
    ):
        code, output, _ = onexn("summary", subject, "--dense", dense, "--json", rows)
        assert code == 0
        assert "kept ℓ1" in output
        layers = {x["name"]: x for x in json.loads(rows.read_text())["layers"]}
        assert 0.4 < layers["expand"]["kept_l1"] < 0.9
        assert layers["depthwise"]["kept_l1"] == pytest.approx(1)


def test_a_network_by_name_is_compared_with_itself(onexn):
    small = ("--alpha", 0.35, "--input-size", 32)
    code, output, _ = onexn(
        "summary", "mobilenet_v2", "--dense", "mobilenet_v2", *small
    )
    assert code == 0
    assert "mobilenet_v2: 53 kernels, 0 of them pruned" in output
    assert "100%" in output


def test_what_does_not_fit_is_one_line(onexn, model_file, pruned_files, tmp_path):
    rows = tmp_path / "rows.json"
    for dense, message in (
        (model_file, "cannot be compared: converting folds batch normalization"),
        (tmp_path / "none.tflite", "Cannot read"),
    ):
        code, output, errors = onexn(
            *("summary", pruned_files / "pruned.tflite", "--dense", dense),
            *("--json", rows),
        )
        assert (code, output) == (1, "")
        assert message in errors
        assert errors.count("\n") == 1
        assert not rows.exists()


def test_a_damaged_file_is_one_line(onexn, tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"no model at all")
    code, _, errors = onexn("summary", path)
    assert code == 1
    assert errors.startswith(f"onexn summary: {path} is not a .tflite file")
    assert errors.count("\n") == 1


def test_where_json_cannot_be_written_is_told_first(onexn, pruned_files, tmp_path):
    rows = tmp_path / "missing" / "rows.json"
    code, output, errors = onexn(
        "summary", pruned_files / "pruned.tflite", "--json", rows
    )
    assert (code, output) == (1, "")
    assert errors.startswith(f"onexn summary: Cannot write {rows}")


def test_a_file_needs_no_tensorflow(pruned_files):
    """Two files are summarized where importing TensorFlow is an error."""
    script = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        "        assert name not in ('tensorflow', 'tf_keras', 'keras'), name\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from tfmot_onexn import cli\n"
        "sys.exit(cli.main(cli.parse(['onexn', *sys.argv[1:]])))"
    )
    paths = [pruned_files / "pruned.tflite", "--dense", pruned_files / "dense.tflite"]
    done = subprocess.run(
        [sys.executable, "-c", script, "summary", *map(str, paths)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pruned.tflite: 6 kernels, 5 of them pruned" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
