"""Programs that the peers' own Python runs: nothing of geoforge can be imported here."""
