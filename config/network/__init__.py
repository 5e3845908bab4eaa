"""What every process needs of a network: whom to trust, what certificate to show, far ends that vanish, where traces go."""
