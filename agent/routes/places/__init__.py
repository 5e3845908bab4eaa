"""The places that answer: looked at, asked, timed, and left alone while they fail."""
