"""What happens and in which order: `retrain` is the main job, `expire` watches consents, `monitor` drift, `erase` removes people,
`study` compares model variants.

`deployments` lists what runs on a schedule, `service` creates it, `nightly` is the nightly work.
"""
