import json


def test_variants_of_a_model_are_compared(onexn, model_file, tmp_path):
    code, output, errors = onexn(
        *("compare", "--model", model_file, "--sparsity", "0.5,0.75", "--n", 8),
        *("--runs", 2, "--json", tmp_path / "rows.json"),
        *("--report", tmp_path / "report", "--keep", tmp_path / "files"),
    )
    assert code == 0, errors
    document = json.loads((tmp_path / "rows.json").read_text())
    assert [row["delegate"] for row in document["rows"]] == [None, "onexn"] * 7
    labels = [(row["variant"], row["sparsity"]) for row in document["rows"][::2]]
    assert labels == [
        ("dense", 0.0),
        *[(v, p) for v in ("weight", "filter", "onexn") for p in (0.5, 0.75)],
    ]
    # each file computes what its model does, with the delegate and without
    assert len(document["agreement"]) == 14
    assert all(row["status"] != "failed" for row in document["rows"])
    assert "Agreement on the last feature map" in output
    assert "DIFFERS" not in output
    assert len(list((tmp_path / "files").iterdir())) == 7
    assert (tmp_path / "report" / "report.html").exists()


def test_variants_are_built_with_tvm_too(onexn, model_file, tmp_path):
    code, output, errors = onexn(
        *("compare", "--model", model_file, "--variants", "dense,weight"),
        *("--runtimes", "tflite,tvm", "--n", 8, "--runs", 2),
        *("--report", tmp_path / "report", "--keep", tmp_path / "files"),
    )
    assert code == 0, errors
    assert "dense in TVM" in output
    assert "dense as a TVM plan" in output
    assert "become CSR kernels there" in " ".join(output.split())
    assert "DIFFERS" not in output
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    runtimes = ["litert", "tvm_vm", "tvm_plan"]
    assert [row["runtime"] for row in document["rows"]] == runtimes * 2
    assert all(row["status"] != "failed" for row in document["rows"])
    assert len(document["agreement"]) == 6
    page = (tmp_path / "report" / "report.html").read_text()
    assert "are builds of the same .tflite" in page
    assert "smaller dense networks" in page
    for suffix in (".so", ".plan"):
        assert len(list((tmp_path / "files").glob(f"*{suffix}"))) == 2


def test_arguments_that_make_no_sense_are_refused(onexn, model_file):
    for arguments, message in [
        (("--sparsity", "half"), "--sparsity takes numbers separated by commas"),
        (("--sparsity", "1.5"), "lie in [0, 1), found 1.5"),
        (("--variants", "dense,block"), "Unknown variant 'block'"),
        (("--n", "0"), "at least 1, found 0"),
        (("--data", "nowhere"), "No data at 'nowhere'"),
    ]:
        code, _, errors = onexn("compare", "--model", model_file, *arguments)
        assert code == 1
        assert message in errors
