"""What is zero, and in which order: arrays only, no Keras."""
