"""A simulated fleet on a private nats-server."""
