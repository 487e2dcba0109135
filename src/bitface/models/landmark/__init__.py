"""Nets of landmarks, and the codes that they read."""
