"""Create, validate, publish, receive and parse Choria lifecycle events.

    import choria_lifecycle as lifecycle

    event = lifecycle.startup(identity="n1.example.net", component="billing", version="1.4.2")
    async with lifecycle.connect(servers="nats://127.0.0.1:4222") as middleware:
        await middleware.publish(event)

`__all__` is the public interface; `codec.decode` reads Choria's other events too, and `testing` helps to test services.
Each name is imported on first use, so that a program loads only the modules it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from choria_lifecycle import testing
    from choria_lifecycle.config.node import identity
    from choria_lifecycle.connection import connect, publish_once
    from choria_lifecycle.errors import (
        AddressInUse,
        ConfigError,
        ConnectionFailed,
        DeliveryFailed,
        InvalidEvent,
        LifecycleError,
        MissingExtra,
        NoStream,
        NotAuthorised,
        OptionError,
        UnknownProtocol,
    )
    from choria_lifecycle.events.description import describe
    from choria_lifecycle.events.event import EVENT_TYPES, Event, event_time, event_type
    from choria_lifecycle.events.factories import alive, governor, new, provisioned, shutdown, startup, upgraded
    from choria_lifecycle.events.subjects import subject
    from choria_lifecycle.middleware.delivery import Delivery
    from choria_lifecycle.middleware.memory import InMemoryTransport
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.service.service import Service
    from choria_lifecycle.wire import codec
    from choria_lifecycle.wire.cloudevents import Format, detect_format
    from choria_lifecycle.wire.codec import encode, parse
    from choria_lifecycle.wire.finding import Finding
    from choria_lifecycle.wire.verdict import validate, validate_many
else:
    from choria_schemas.lazy import exports

    _MODULES = {
        "wire.codec": ("encode", "parse"),
        "config.node": ("identity",),
        "connection": ("connect", "publish_once"),
        "wire.cloudevents": ("Format", "detect_format"),
        "errors": (
            "AddressInUse",
            "ConfigError",
            "ConnectionFailed",
            "DeliveryFailed",
            "InvalidEvent",
            "LifecycleError",
            "MissingExtra",
            "NoStream",
            "NotAuthorised",
            "OptionError",
            "UnknownProtocol",
        ),
        "events.description": ("describe",),
        "events.event": ("EVENT_TYPES", "Event", "event_time", "event_type"),
        "events.factories": ("alive", "governor", "new", "provisioned", "shutdown", "startup", "upgraded"),
        "middleware.delivery": ("Delivery",),
        "middleware.memory": ("InMemoryTransport",),
        "middleware.middleware": ("Middleware",),
        "service.service": ("Service",),
        "events.subjects": ("subject",),
        "wire.finding": ("Finding",),
        "wire.verdict": ("validate", "validate_many"),
    }
    _SUBMODULES = {"codec": "wire.codec", "testing": "testing"}
    _import_name, __dir__ = exports(
        globals(), {name: module for module, names in _MODULES.items() for name in names}, _SUBMODULES
    )

    def __getattr__(name: str) -> object:
        if name[:1].isupper() and name not in __all__:
            _check_elsewhere(name)
        return _import_name(name)

    def _check_elsewhere(name: str) -> None:
        """Raise ImportError, whose text `from choria_lifecycle import` shows, for a class of choria_schemas."""
        from choria_schemas.registry import CONTRACTS

        classes = [contract.cls for contract in CONTRACTS.values() if contract.class_name == name]
        packages = list(dict.fromkeys(cls.__module__.rpartition(".")[0] for cls in classes))
        if packages:
            raise ImportError(f"{name} is in {' and '.join(packages)}: from {packages[0]} import {name}")


__version__: Final = "0.1.0"

__all__ = [
    "EVENT_TYPES",
    "AddressInUse",
    "ConfigError",
    "ConnectionFailed",
    "Delivery",
    "DeliveryFailed",
    "Event",
    "Finding",
    "Format",
    "InMemoryTransport",
    "InvalidEvent",
    "LifecycleError",
    "Middleware",
    "MissingExtra",
    "NoStream",
    "NotAuthorised",
    "OptionError",
    "Service",
    "UnknownProtocol",
    "__version__",
    "alive",
    "codec",
    "connect",
    "describe",
    "detect_format",
    "encode",
    "event_time",
    "event_type",
    "governor",
    "identity",
    "new",
    "parse",
    "provisioned",
    "publish_once",
    "shutdown",
    "startup",
    "subject",
    "testing",
    "upgraded",
    "validate",
    "validate_many",
]
