"""`make demo`: a collection from bronze storage to the STAC API, watched live."""
