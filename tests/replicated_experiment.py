"""One worker of an experiment: ``python -m replicated_experiment FOLDER``."""

import dataclasses
import json
import pathlib
import sys

from paper_results import tiny_mobilenet

from tfmot_onexn.experiments.papers import registry, settings
from tfmot_onexn.experiments.papers.workshop import Sources
from tfmot_onexn.networks import models
from tfmot_onexn.pruning import distribution


def main(folder):
    setting = dataclasses.replace(
        settings.QUICK,
        train_images=128,
        test_images=64,
        dense_epochs=1,
        tuning_epochs=1,
        sizes=(4,),
    )
    with distribution.strategy("multiworker") as strategy:
        models.NETWORKS.update(dict.fromkeys(setting.networks, tiny_mobilenet))
        page = registry.run(
            "table1", setting, Sources(folder, "digits"), seeds=1, strategy=strategy
        )
    print(json.dumps(None if page is None else page.values))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
