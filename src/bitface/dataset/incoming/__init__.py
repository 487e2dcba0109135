"""Reads what people bring: tables, texts, ids and paths, each by one reader."""
