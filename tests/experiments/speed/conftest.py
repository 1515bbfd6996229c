"""A network for experiments that are not about it."""

import pytest
from paper_results import tiny_mobilenet

from tfmot_onexn.networks import models


@pytest.fixture(scope="module")
def small_mobilenet():
    """Puts a tiny network in the place of MobileNet, which takes long to build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.NETWORKS, "mobilenet", tiny_mobilenet)
        yield
