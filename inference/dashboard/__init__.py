"""The page that shows what the engine does, and the routes that it and other watchers read."""
