"""Nets of aligned grey faces, and the codes that they read."""
