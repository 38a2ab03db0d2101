"""The read-only STAC API: what its endpoints answer, free of HTTP and of SQL.

https://github.com/radiantearth/stac-api-spec/tree/v1.0.0
"""
