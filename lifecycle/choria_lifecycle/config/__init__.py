"""Connection settings: servers, credentials, TLS and names, from arguments, the environment and Choria's files."""
