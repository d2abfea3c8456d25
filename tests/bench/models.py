"""The events as pydantic models: the same shape, discriminated by the protocol in pydantic's fastest way."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from .corpus import PROTOCOL


class _Base(BaseModel):
    protocol: str
    id: str
    identity: str
    component: str
    timestamp: int


class Alive(_Base):
    protocol: Literal["io.choria.lifecycle.v1.alive", "choria:lifecycle:alive:1"]
    version: str


class Governor(_Base):
    protocol: Literal["io.choria.lifecycle.v1.governor", "choria:lifecycle:governor:1"]
    governor: str
    sequence: Annotated[int, Field(ge=0)]
    event_type: Literal["enter", "exit", "timeouts", "eviction"]


class Provisioned(_Base):
    protocol: Literal["io.choria.lifecycle.v1.provisioned", "choria:lifecycle:provisioned:1"]


class Shutdown(_Base):
    protocol: Literal["io.choria.lifecycle.v1.shutdown", "choria:lifecycle:shutdown:1"]


class Startup(_Base):
    protocol: Literal["io.choria.lifecycle.v1.startup", "choria:lifecycle:startup:1"]
    version: str


class Upgraded(_Base):
    protocol: Literal["io.choria.lifecycle.v1.upgraded", "choria:lifecycle:upgraded:1"]
    version: str
    new_version: str


Event = Annotated[
    Alive | Governor | Provisioned | Shutdown | Startup | Upgraded,
    Field(discriminator="protocol"),
]


class Envelope(BaseModel):
    """A CloudEvent around an event; `time` stays text, since no peer reads it."""

    specversion: Literal["1.0"]
    id: str
    source: Literal["io.choria.lifecycle"]
    type: str
    subject: str | None = None
    datacontenttype: str | None = None
    time: str | None = None
    data: Event


CLASSES: dict[str, type[BaseModel]] = {
    PROTOCOL + cls.__name__.lower(): cls for cls in (Alive, Governor, Provisioned, Shutdown, Startup, Upgraded)
}

native = TypeAdapter(Event).validate_json
cloudevent = Envelope.model_validate_json
