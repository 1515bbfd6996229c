"""Keras graph in, Keras graph out; the function it computes is kept."""
