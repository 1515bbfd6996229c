"""Ship to TFLite and LiteRT: standard files with 1xN sparse tensors."""
