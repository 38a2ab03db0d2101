"""`make demo`: a collection from bronze storage to the STAC API, and countries on a map."""
