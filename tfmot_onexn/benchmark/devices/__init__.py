"""Machines that artifacts are timed on: emulated ones, and those behind ssh or adb."""
