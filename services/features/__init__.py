"""OGC API - Features, Part 1: published tables as collections of features."""
