"""What the chat shows: a turn as it goes on, past ones, and the lines that stay."""
