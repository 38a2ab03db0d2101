"""The page that shows people what the HTTP API has."""
