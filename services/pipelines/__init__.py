"""Pipelines: their documents, their runs, and what is shown of both."""
