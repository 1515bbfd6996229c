"""1xN block sparsity for TensorFlow Model Optimization."""
