"""One file per tool: our types in and out, and no vendor name beyond the file."""
