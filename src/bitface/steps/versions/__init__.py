"""What becomes of a model: gate, register, approve, promote, serve, watch."""
