"""Reads what people bring, pictures and clips of videos, and packs it as it is stored."""
