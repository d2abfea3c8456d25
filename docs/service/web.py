"""A FastAPI application; Starlette applications have the same method."""

import os

from fastapi import FastAPI

from choria_lifecycle.service.asgi import LifecycleASGIMiddleware

app = FastAPI()
app.add_middleware(LifecycleASGIMiddleware, component="billing", version="1.4.2", per_process=True)


@app.get("/")
def index() -> int:
    return os.getpid()
