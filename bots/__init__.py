"""Front-ends: they render what the agent says happened, collect what a person types, and decide nothing."""
