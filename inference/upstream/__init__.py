"""The way to the models' own servers: their address, the request as its bytes, the connections, and the answer as it passes."""
