"""What tasks do, one package per pipeline, and the engine that runs them."""
