"""The stages of the main job, from a dataset to figures of a model."""
