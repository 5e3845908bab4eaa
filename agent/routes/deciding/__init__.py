"""Which place answers: decided from settings, signals and what is known of the nodes, without asking anybody."""
