"""What the pages share: their registry, rendering, static files, forms, formats.

A page is a package beside this one with a module `interface`, which registers its `Page` and
holds a blueprint. Pages only read; whatever changes something is a call of the HTTP API, made
by the scripts in static/js/.
"""
