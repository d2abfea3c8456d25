"""A simulated fleet and a private nats-server, to try things out without setup."""
