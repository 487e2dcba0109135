"""What happens and in which order: `retrain` is the main job, `study` compares ways to build a model; `wiring` picks tools."""
