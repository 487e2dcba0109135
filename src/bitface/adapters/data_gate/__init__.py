"""The data gate's suites, by Great Expectations."""
