"""/api/interface/pipelines: the list, the builder, a pipeline with its versions, and its runs."""
