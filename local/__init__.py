"""geoforge on one machine: what stands in for Azure where there is none."""
