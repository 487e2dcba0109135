"""Audits, retention, erasure, and diagnosis of the installation."""
