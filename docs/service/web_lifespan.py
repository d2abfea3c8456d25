"""A FastAPI application whose own lifespan decides when to announce it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from choria_lifecycle import Service


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    # Open the database here.
    async with Service("billing", "1.4.2", per_process=True):
        yield
    # Close it here.


app = FastAPI(lifespan=lifespan)
