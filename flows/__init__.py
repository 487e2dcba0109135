"""What happens and in which order: `retrain` is the main job, `expire` looks after consents, `monitor` after drift, `erase` takes
people out, `study` compares ways to build.

`deployments` says what runs by itself, `service` creates it, `nightly` is what it looks after.
"""
