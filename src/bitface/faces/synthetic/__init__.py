"""Who synthetic people are, and what their faces do."""
