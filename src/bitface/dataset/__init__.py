"""The dataset folder on disk: an index without names, licences, one encrypted shard per person, a manifest."""
