"""What a model is sent: the prompt, the conversation as bytes, and what of it is still in view."""
