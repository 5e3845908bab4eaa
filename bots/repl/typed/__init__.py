"""What a person types in the chat: at a terminal or through a pipe, with keys, completion and lines that come early."""
