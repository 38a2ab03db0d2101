"""What is done to geometries: built from raw coordinates, cleaned, repaired, reprojected."""
