"""What Variet costs, measured beside the same work done without it, in the same run."""
