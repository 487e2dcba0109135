"""Training: `loop` is the recipe; `batches` and `augmentation` make what it sees, `choice` picks the epoch and thresholds."""
