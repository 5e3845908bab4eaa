"""The tool servers as the agent sees them: started, kept alive, called, and under one roof."""
