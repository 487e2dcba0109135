"""The life of a model version: gate, register, approve, promote, serve, monitor."""
