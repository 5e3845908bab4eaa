"""An IMAP account behind the mailbox: the connection, what is asked over it, and what the lines of a server mean."""
