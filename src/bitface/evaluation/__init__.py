"""Figures of models: scores, by group, calibration, latency."""
