"""Parse and encode events, and validate one document."""
