"""Pruning after training: blocks chosen and weights solved on images, no labels."""
