"""Processes and ports of our own on this machine: guarded, with a password each, and ended with whoever started them."""
