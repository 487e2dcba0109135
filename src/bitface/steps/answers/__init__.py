"""What a model predicts for a picture, and why."""
