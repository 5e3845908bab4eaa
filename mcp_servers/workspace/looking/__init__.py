"""Looking at files: reading, listing, and searching with and without ripgrep."""
