"""Kernels in TVM's tensor IR, written from Python. Patterns of zeros are data."""
