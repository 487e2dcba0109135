"""What a model says of a picture, and why."""
