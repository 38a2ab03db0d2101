"""The page on which the catalog's rasters are looked at."""
