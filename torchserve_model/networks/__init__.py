"""The networks, in plain PyTorch: one per file, its configuration beside it."""
