"""What is measured: accuracy, size and speed, and the demo that shows all three.

  papers/  the papers' tables and figures, by name: ``onexn experiment``
  speed/   kernels and networks: ``make bench-delegate``, ``make bench-tvm``
  demo     the main job from training to the report: ``onexn demo``

The other modules are run by themselves: ``python -m tfmot_onexn.experiments.NAME``.
"""
