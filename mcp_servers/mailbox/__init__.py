"""Mail accounts and the mails in them, for the server that reads and the one that sends."""
