"""Accounts at Google: log in, where their tokens are kept, and the short-lived token that a server shows when it asks.

Nothing here is ever shown to a model, and no token leaves these modules but as a `SecretStr`.
"""
