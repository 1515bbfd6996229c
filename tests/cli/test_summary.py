import json


def test_models_and_files_are_summarized(onexn, model_file, tmp_path):
    path = tmp_path / "model.tflite"
    onexn("convert", model_file, "-o", path)
    for subject in (model_file, path):
        rows = tmp_path / "rows.json"
        code, output, _ = onexn("summary", subject, "--json", rows)
        assert code == 0
        assert "6 kernels" in output
        document = json.loads(rows.read_text())
        assert document["schema"] == 1
        assert len(document["layers"]) == 6
        assert document["totals"]["macs"] > 0


def test_a_damaged_file_is_one_line(onexn, tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"no model at all")
    code, _, errors = onexn("summary", path)
    assert code == 1
    assert errors.startswith(f"onexn summary: {path} is not a .tflite file")
    assert errors.count("\n") == 1
