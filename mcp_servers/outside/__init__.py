"""What comes from outside is data: cleaned, fenced, and read where it can do no harm."""
