"""Models of what geoforge keeps: jobs, stages, tasks, metrics."""
