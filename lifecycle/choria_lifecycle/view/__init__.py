"""Show events, and record them."""
