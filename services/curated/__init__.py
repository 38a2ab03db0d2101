"""Curated datasets: reference data that is fetched, checked and published by itself."""
