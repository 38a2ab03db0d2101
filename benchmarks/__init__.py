"""Measures geoforge beside the tools that do the same work: see docs/benchmarks.md."""
