"""Settings and results that need no training."""

import dataclasses
import json

import pytest
from paper_results import result_of, tiny_mobilenet

from tfmot_onexn.experiments.papers import settings
from tfmot_onexn.experiments.papers.jobs import Store
from tfmot_onexn.networks import models


@pytest.fixture
def small_networks(monkeypatch):
    """Puts a tiny network in the place of every MobileNet."""
    for name in settings.QUICK.networks:
        monkeypatch.setitem(models.NETWORKS, name, tiny_mobilenet)


@pytest.fixture
def quick():
    """A setting that trains for seconds."""
    return dataclasses.replace(
        settings.QUICK,
        train_images=256,
        test_images=64,
        dense_epochs=2,
        tuning_epochs=1,
        sparsities=(0.5,),
        sizes=(4, 16),
    )


@pytest.fixture
def store(tmp_path):
    """A store that takes `result_of` for results, by ``fill(jobs)``."""
    store = Store(tmp_path / "jobs")
    store.folder.mkdir()

    def fill(jobs):
        for job in jobs:
            content = {"job": job.fields(), "result": result_of(job)}
            content |= {"machine": "a machine", "date": "2026-01-01"}
            store.path(job).write_text(json.dumps(content))

    store.fill = fill
    return store
