"""ACLED's API, and what an update asks of it. `services.curated.acled_handler` is the way in."""
