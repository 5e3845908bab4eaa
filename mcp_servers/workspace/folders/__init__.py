"""The folders of a project: from a path as a model writes it to a file inside a root, what may be touched there, and its bytes as text."""
