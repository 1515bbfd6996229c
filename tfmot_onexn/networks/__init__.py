"""Models, datasets and training recipes."""
