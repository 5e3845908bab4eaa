"""`python -m inference`: the same as `variet engine`, for a machine that has no other part of Variet."""

from inference.cli import engine

engine(prog_name="variet engine")
