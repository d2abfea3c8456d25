"""Choria's own configuration files, as a Choria client finds and reads them."""
