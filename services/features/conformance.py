"""The conformance classes that this API claims; docs/features-api.md says how each is met."""

from __future__ import annotations

_FEATURES = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf"

CONFORMANCE_CLASSES: tuple[str, ...] = (
    f"{_FEATURES}/core",
    f"{_FEATURES}/geojson",
    f"{_FEATURES}/oas30",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
)
