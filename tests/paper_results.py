"""What the papers' experiments might find, and a network that trains in a second."""

import json

import tf_keras

from tfmot_onexn.experiments.papers.balance import RowCounts
from tfmot_onexn.experiments.papers.fig2b import Kept
from tfmot_onexn.experiments.papers.fig5 import Latency
from tfmot_onexn.experiments.papers.one_shot import OneShot
from tfmot_onexn.experiments.papers.trainings import Dense, FromScratch, Tuned

layers = tf_keras.layers


def tiny_mobilenet(input_shape, classes, **_):
    """Two separable blocks, which every variant can prune."""
    inputs = x = layers.Input(input_shape)
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    for index, width in enumerate((16, 32)):
        x = layers.DepthwiseConv2D(3, 2, "same", use_bias=False, name=f"dw{index}")(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"dw{index}_bn")(x))
        x = layers.Conv2D(width, 1, use_bias=False, name=f"pw{index}")(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"pw{index}_bn")(x))
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(classes, "softmax", name="end")(x)
    return tf_keras.Model(inputs, outputs, name="mobilenet")


def result_of(job):
    """Returns what a job might find; finer pruning recognizes more."""
    if isinstance(job, Dense):
        return {"top1": 0.8, "loss": 1.0, "dense": "0"}
    if isinstance(job, Tuned):
        lost = {"dense": 0.0, "weight": 0.02, "onexn": 0.05, "filter": 0.2}
        top1 = 0.8 - lost[job.variant.method] - 0.001 * job.variant.n
        top1 += 0.01 * job.seed + 0.005 * (job.variant.rearrange == "swaps")
        top1 += 0.01 * (job.calibration > 0)
        masked = 0.4 if job.calibration else 0.1
        kept = {"top1_masked": masked, "kept": 0.6, "sparsity": job.variant.sparsity}
        return {"top1": top1, "loss": 1.0, "dense": "0", **kept}
    if isinstance(job, FromScratch):
        return {"top1": 0.76 + 0.01 * job.seed, "loss": 1.0, "sparsity": 0.5}
    if isinstance(job, OneShot):
        return _one_shot(job.case)
    if isinstance(job, Kept):
        ways = {"none": 0.5, "l1": 0.6, "swaps": 0.7, "weights": 0.9}
        return {"first": ways[job.way], "second": ways[job.way] - 0.1}
    if isinstance(job, RowCounts):
        return {"first": [1, 3, 4, 8] if not job.uniform else [4] * 4, "one": [5]}
    if isinstance(job, Latency):
        versions = {"ai-edge-litert": "2.3.0", "apache-tvm": "0.27.0"}
        return {"rows": list(_timed(job)), "versions": versions}
    raise TypeError(job)


def _one_shot(case):
    """The odd ones of eight images; "batch_norm" gets two of four, "resolved" three."""
    hits = {"mask": "00010000", "batch_norm": "01010000", "resolved": "01010100"}
    found = "11111111" if case is None else hits[case.treatment]
    removed = {"parameters_removed": 0.5, "macs_removed": 0.4}
    return {"hits": found, "top5": 0.9, "seconds": 3.0, "dense": "0", **removed}


def _timed(job):
    runtimes = [("litert", None), ("litert", "onexn"), ("tvm_plan", None)]
    kinds = [("dense", None, 0.0)]
    for p in job.sparsities:
        kinds += [("weight", None, p), ("onexn", 4, p), ("onexn", 16, p)]
        kinds += [("filter", None, p)]
    for variant, n, p in kinds:
        for runtime, delegate in runtimes:
            median = 3.25 - p - 0.01 * (n or 0)
            yield {
                "variant": variant,
                "n": n,
                "sparsity": p,
                "runtime": runtime,
                "delegate": delegate,
                "median_ms": median,
                "p10_ms": 0.8 * median,
                "p90_ms": 1.5 * median,
            }


def assert_whole(page):
    """Every table is rectangular and has no cell that says NaN or None."""
    assert page.picture.startswith(b"\x89PNG")
    assert json.loads(json.dumps(page.values))
    for table in page.tables:
        for row in table.rows:
            assert len(row) == len(table.header), row
            assert not any(text in ("nan", "None", "") for text in row), row
    assert all(note.strip() for note in page.notes)
