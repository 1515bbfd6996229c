import os

import numpy as np
import pytest

from tfmot_onexn.benchmark import compare
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tvm import builds, frontend, processors, rewrite

VARIANTS = [
    Variant("dense"),
    Variant("filter"),
    Variant("onexn", n=8, rearrange="none"),
    Variant("onexn", 0.75, n=8),
]


@pytest.fixture
def data(dense_model, rng):
    """Images that the dense model recognizes."""
    x = rng.normal(size=(10, 8, 8, 3)).astype(np.float32)
    labels = dense_model(x).numpy().argmax(axis=1)
    none, some = ArrayImages(x[:0]), ArrayImages(x)
    return Dataset("some", none, labels[:0], some, labels, 4, preprocessing="none")


def test_variants_are_built_checked_timed_and_tested(dense_model, tmp_path, data):
    found = compare.compare(
        dense_model,
        VARIANTS,
        tmp_path,
        weights="random",
        runtimes=["litert", "tf_lite+delegate"],
        dataset=data,
        runs=3,
    )
    assert [row.label_at_sparsity for row in found.rows[::2]] == [
        "dense",
        "filter 50%",
        "1×8 50%",
        "1×8 rearranged 75%",
    ]
    assert [row.runtime for row in found.rows[:2]] == ["litert", "tf_lite"]
    assert [row.delegate for row in found.rows[:2]] == [None, "onexn"]
    dense, filtered, half, most = found.rows[::2]
    assert dense.top1 == 1.0 > most.top1
    assert dense.size_bytes > half.size_bytes > most.size_bytes
    assert filtered.macs < dense.macs
    assert half.model == "small"
    assert all(row.median_ms > 0 and row.status != "failed" for row in found.rows)
    assert [each.label for each in found.agreements][2:] == [
        *("filter 50%", "filter 50% + delegate"),
        *("1×8 50%", "1×8 50% + delegate"),
        *("1×8 rearranged 75%", "1×8 rearranged 75% + delegate"),
    ]
    assert all(each.passed for each in found.agreements)
    assert {each.bound for each in found.agreements} == {1e-5}
    assert found.agreements[2].dense_error == float("inf")
    assert [each.told_apart for each in found.agreements] == [False] * 2 + [True] * 6
    assert len(os.listdir(tmp_path)) == 4


def test_a_file_of_another_model_does_not_pass(dense_model, tmp_path, monkeypatch):
    """The agreement check sees a converter that forgets the masks."""

    class Forgetful(Variant):
        def prune(self, prepared):
            return Variant("dense").prune(prepared)

    row, (agreement,) = compare.build(
        dense_model, Forgetful("onexn", rearrange="none"), tmp_path / "a.tflite"
    )
    assert agreement.error <= 1e-5
    assert agreement.dense_error == pytest.approx(agreement.error)
    assert not agreement.passed
    assert row.variant == "onexn"


def test_each_variant_is_built_with_tvm_where_it_is_a_runtime(dense_model, tmp_path):
    found = compare.compare(
        dense_model, VARIANTS[::2], tmp_path, runtimes=["litert", "tvm"], runs=2
    )
    assert [(row.label_at_sparsity, row.runtime) for row in found.rows] == [
        ("dense", "litert"),
        ("dense in TVM", "tvm_vm"),
        ("dense as a TVM plan", "tvm_plan"),
        ("1×8 50%", "litert"),
        ("1×8 50% in TVM", "tvm_vm"),
        ("1×8 50% as a TVM plan", "tvm_plan"),
    ]
    assert sorted(os.listdir(tmp_path)) == [
        *("0-dense.plan", "0-dense.so", "0-dense.tflite"),
        *("1-onexn.plan", "1-onexn.so", "1-onexn.tflite"),
    ]
    for row in found.rows:
        assert row.size_bytes == builds.size(tmp_path / row.artifact)
        assert row.speedup == pytest.approx(found.rows[0].median_ms / row.median_ms)
    stock, *ours = found.rows[3:]
    for row in ours:
        assert (row.macs, row.model, row.n) == (stock.macs, "small", 8)
    assert [each.label for each in found.agreements][3:] == [
        *("1×8 50%", "1×8 50% in TVM", "1×8 50% as a TVM plan"),
    ]
    assert all(each.passed for each in found.agreements)


def test_in_tvm_alone_there_is_nothing_to_be_faster_than(dense_model, tmp_path, data):
    (row,) = compare.compare(
        dense_model, VARIANTS[:1], tmp_path, runtimes=["tvm_vm"], dataset=data, runs=2
    ).rows
    assert (row.runtime, row.top1, row.speedup) == ("tvm_vm", 1.0, None)


def test_a_plan_alone_is_built_if_it_is_asked_for(dense_model, tmp_path):
    found = compare.compare(
        dense_model, VARIANTS[:1], tmp_path, runtimes=["tvm_plan"], runs=2
    )
    assert [row.artifact for row in found.rows] == ["0-dense.plan"]
    assert sorted(os.listdir(tmp_path)) == ["0-dense.plan", "0-dense.tflite"]


def test_rivals_are_built_as_the_paper_has_them(dense_model, tmp_path):
    """Weight pruning in CSR, with blocks of one; filter pruning in fewer channels."""
    kernels = {}
    for method in ("dense", "weight", "filter"):
        path = tmp_path / f"{method}.tflite"
        compare.build(dense_model, Variant(method), path)
        _, tile = processors.processor("host")
        found = rewrite.rewrite(frontend.load(path), tile).kernels
        kernels[method] = [k for _, k in found if type(k).__name__ == "Product"]
    csr, dense = kernels["weight"], kernels["dense"]
    assert [kernel.n for kernel in csr] == [1, 1, 1]
    assert min(kernel.n for kernel in dense) > 1
    for own, full in zip(csr, dense, strict=True):
        assert own.blocks == pytest.approx(full.blocks * full.n / 2, abs=1)
    for own, full in zip(kernels["filter"], dense, strict=True):
        stored = own.columns * own.shape[-1]
        assert own.blocks * own.n == stored < full.columns * full.shape[-1]
