"""Comparisons that decide nothing: variants, landmarks, benchmarks."""
