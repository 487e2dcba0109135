"""The net that reads action units, its encoder, and both on disk."""
