"""What happens and in which order: `retrain` is the main job; `wiring` is the only place that picks tools."""
