"""The tool servers: one process each, for calendars, mail, sending and web search.

Servers never import each other; what several need lies in the modules of this folder.
"""
