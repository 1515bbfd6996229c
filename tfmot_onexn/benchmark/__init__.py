"""Latency, accuracy and size side by side."""
