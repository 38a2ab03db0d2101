"""How collections are drawn: MapLibre styles, kept in the database, and their legends."""
