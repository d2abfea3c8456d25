"""Events over a transport: publish, subscribe and replay."""
