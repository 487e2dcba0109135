"""The parts of the key store (`dataset/keys.py`): the master key, people, the book of the erased, days and runs."""
