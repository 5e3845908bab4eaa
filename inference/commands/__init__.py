"""The commands of `variet engine`, one file per kind."""
