"""Services that announce themselves: in Python, as ASGI applications, and as child processes."""
