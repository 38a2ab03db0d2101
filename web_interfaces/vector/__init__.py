"""The pages of vector data: published tables, runs, and the report of each run."""
