"""AgentDojo's workspace suite against the turn and its policy, with a model that obeys every injected text; `python -m tests.dojo`."""
