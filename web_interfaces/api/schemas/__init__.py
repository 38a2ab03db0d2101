"""What the endpoints answer with, as JSON Schemas for the API's description."""
