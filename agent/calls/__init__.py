"""What a model wrote, read as it was meant: streams put together, calls that leak into text, slips put right, circles seen."""
