"""Which landmarks moved a score, and how far to believe it: every map carries its completeness gap and its baseline."""
