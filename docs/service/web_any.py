"""Any other ASGI application, with or without a lifespan."""

import os
from typing import Any

from choria_lifecycle.service.asgi import LifecycleASGIMiddleware


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError(f"only HTTP is served here, not {scope['type']}")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


app = LifecycleASGIMiddleware(application, component="billing", version="1.4.2", per_process=True)
