"""Changing files: the steps of each change, its diff, the journal that undoes it, and the tools."""
