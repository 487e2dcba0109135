"""The dataset folder on disk: an index without names, licences, one encrypted shard per person, and a manifest of digests."""
