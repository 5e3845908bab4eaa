"""The programs that run models: found, started on a leash, followed while they load, and ended with all that they started."""
