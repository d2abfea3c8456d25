"""msgspec, pydantic, cattrs and FastAPI accept the generated types unchanged."""

from __future__ import annotations

import dataclasses
import json

import cattrs
import fastapi
import httpx
import msgspec
import pydantic
import pytest


def test_msgspec_reads_and_writes(contract, document, event):
    text = msgspec.json.encode(document)
    made = msgspec.json.decode(text, type=contract.cls)
    assert made == event
    written = json.loads(msgspec.json.encode(made))
    assert written == document
    assert list(written) == [field.name for field in dataclasses.fields(contract.cls)]
    assert msgspec.convert(document, contract.cls) == made
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document | {"protocol": "other"}, contract.cls)


def test_pydantic_reads_and_writes(contract, document, event):
    adapter = pydantic.TypeAdapter(contract.cls)
    made = adapter.validate_json(json.dumps(document))
    assert made == event
    assert type(made) is contract.cls
    assert adapter.dump_python(made) == document
    properties = adapter.json_schema()["properties"]
    assert set(properties) == set(contract.schema()["properties"])
    assert all(member["description"].endswith(".") for member in properties.values())
    with pytest.raises(pydantic.ValidationError):
        adapter.validate_python(document | {"protocol": "other"})


def test_pydantic_accepts_it_as_a_field(contract, document, event):
    model = pydantic.create_model("Holder", event=(contract.cls, ...))
    made = model.model_validate({"event": document})
    assert made.event == event
    assert model(event=made.event).event == made.event


def test_cattrs_reads_and_writes(contract, document, event):
    converter = cattrs.Converter()
    made = converter.structure(document, contract.cls)
    assert made == event
    assert converter.unstructure(made) == document
    with pytest.raises(cattrs.BaseValidationError):
        converter.structure(document | {"protocol": "other"}, contract.cls)


async def test_fastapi_accepts_it_as_a_body(contract, document):
    app = fastapi.FastAPI()
    event = contract.cls

    def receive(body):
        assert type(body) is event
        return body

    receive.__annotations__ = {"body": event, "return": event}
    app.post("/")(receive)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        response = await client.post("/", json=document)
        assert (response.status_code, response.json()) == (200, document)
        refused = await client.post("/", json=document | {"timestamp": "soon"})
        assert refused.status_code == 422
        described = (await client.get("/openapi.json")).json()
        properties = described["components"]["schemas"][event.__name__]["properties"]
        assert all(member["description"].endswith(".") for member in properties.values())
