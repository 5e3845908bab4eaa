"""Graphics cards as they really are: what is free and who holds it, what a model takes, whether it came back, whom a card is lent to."""
