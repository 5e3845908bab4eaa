"""The one service of a home, and how front-ends reach it."""
