"""Training: `loop` is the recipe; `batches` and `augmentation` make what it sees, `choice` decides on it."""
