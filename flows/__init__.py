"""What happens and in which order: `retrain` is the main job, `expire` looks after consents at night, `study` compares ways to build a model.

`deployments` says what runs by itself, `service` runs it; `wiring` picks tools.
"""
