"""Experiments by name; today the demo."""
