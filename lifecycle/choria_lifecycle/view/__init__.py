"""The event viewer, and the file format of its recordings."""
