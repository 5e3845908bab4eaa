"""Graphics cards as they really are: how much memory is free, who holds it, whether it has come back, and whom it is lent to."""
