"""The only place that picks tools: each port gets its adapter here, so changing a tool takes one adapter and one line."""
