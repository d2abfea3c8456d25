"""The errors that this library raises.

    LifecycleError
     +-- InvalidEvent        a document breaks its contract; path, rule and value say where and how
     +-- UnknownProtocol     no contract covers the protocol that a document names
     +-- OptionError         options are missing, unexpected or invalid
     +-- ConfigError         settings contradict each other or cannot be read
     +-- ConnectionFailed    no server was reached before the timeout
     +-- NotAuthorised       a server refused the credentials or a subject
     +-- DeliveryFailed      a publish was not confirmed; may_arrive is True if the event may still arrive
     +-- NoStream            no JetStream stream or bucket holds what was requested
     +-- MissingExtra        an optional dependency is not installed
     +-- AddressInUse        another program listens on the address

Wrong calls raise Python's own errors, such as TypeError.
"""

from __future__ import annotations

__all__ = [
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
]


class LifecycleError(Exception):
    """The base class of all errors of this library. They can be copied and pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        # By default an exception is rebuilt from its positional arguments, without our keyword-only ones.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[LifecycleError], args: tuple[object, ...], attributes: dict[str, object]) -> LifecycleError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


class InvalidEvent(LifecycleError):
    """A document or an event breaks its contract.

    Attributes:
        message: the problem and its remedy, safe to show.
        path: the JSON path of the invalid value, `$` for the whole document.
        rule: the broken rule: a JSON Schema keyword such as `required`, or one of this library's such as `size`.
        value: the invalid value, safe to show, or None.
    """

    def __init__(self, message: str, *, path: str = "$", rule: str = "", value: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.rule = rule
        self.value = value

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class UnknownProtocol(LifecycleError):
    """No contract covers the document's protocol, or the protocol is not that of a lifecycle event.

    Attributes:
        protocol: the name from the document, unescaped; escape it before showing it.
    """

    def __init__(self, message: str, *, protocol: str) -> None:
        super().__init__(message)
        self.protocol = protocol


class OptionError(LifecycleError):
    """Options for an event, a connection or a service are missing, unexpected or invalid.

    Attributes:
        missing: the required options that were not given.
        unexpected: the options that are not accepted.
        invalid: the options with unusable values.
    """

    def __init__(
        self,
        message: str,
        *,
        missing: tuple[str, ...] = (),
        unexpected: tuple[str, ...] = (),
        invalid: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.missing = missing
        self.unexpected = unexpected
        self.invalid = invalid


class ConfigError(LifecycleError):
    """Settings contradict each other, or a file they name cannot be read."""


class ConnectionFailed(LifecycleError):
    """No server was reached before the timeout; the message names the cause and never contains a secret."""


class NotAuthorised(LifecycleError):
    """A server refused the credentials, or permission to publish or subscribe to a subject."""


class DeliveryFailed(LifecycleError):
    """A publish was not confirmed.

    Attributes:
        subject: the subject of the publish.
        may_arrive: True if the event, or part of a batch, may have reached or may still reach the server; False if it
            certainly has not and will not.
    """

    def __init__(self, message: str, *, subject: str, may_arrive: bool) -> None:
        super().__init__(message)
        self.subject = subject
        self.may_arrive = may_arrive


class NoStream(LifecycleError):
    """No JetStream stream or key-value bucket holds what was requested, or JetStream is not enabled."""


class MissingExtra(LifecycleError):
    """An optional dependency is not installed.

    Attributes:
        extra: the extra that installs it, for example `cli`.
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'choria-lifecycle[{extra}]'")
        self.extra = extra


class AddressInUse(LifecycleError):
    """Another program already listens on the address.

    Attributes:
        host: the host name or IP address.
        port: the port.
    """

    def __init__(self, message: str, *, host: str, port: int) -> None:
        super().__init__(message)
        self.host = host
        self.port = port
