"""Find and read Choria's own configuration files as a Choria client does."""
