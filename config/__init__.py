"""What the user may set, and nothing else: settings, secrets, places and logging. It imports nothing else of ours."""
