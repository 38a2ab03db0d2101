"""What a browser is told about every page: what it may load, run, frame and send.

The pages need nothing but files and answers of this app itself: no inline script or style, no
eval, no other host. So everything is forbidden but what is listed; docs/design-system.md says why
each line is as it is.
"""

from __future__ import annotations

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # MapLibre's own signs are data: addresses in its stylesheet.
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    # MapLibre draws in a worker, from a file of its own.
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

# What the pages do not use, no script in them may use either.
_UNUSED_FEATURES = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "geolocation",
    "gyroscope", "magnetometer", "microphone", "midi", "payment", "usb", "xr-spatial-tracking",
)  # fmt: skip

HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{directive} {sources}" for directive, sources in CONTENT_SECURITY_POLICY.items()
    ),
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
    # The address of a page may hold a function key: it goes to no other host.
    "Referrer-Policy": "same-origin",
}
"""Of every answer that is a page."""

DRAWING_POLICY = "default-src 'none'; sandbox"
"""Of an SVG that is opened by its own address: there it is a document, which could run scripts."""
