"""Imports people and keeps their records: consents, shards, the right to write."""
