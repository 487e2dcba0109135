"""The only place that picks tools: each port gets its adapter here, and to change a tool is one adapter and one line."""
