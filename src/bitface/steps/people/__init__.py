"""Taking people in and keeping what belongs to them: imports, consents, shards, the right to write."""
