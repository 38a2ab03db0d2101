"""The pages of curated datasets: the registry, one dataset, and the form for another."""
