"""Published tables as Mapbox Vector Tiles, made by PostGIS."""
