"""Every error this library raises.

    LifecycleError
     +-- InvalidEvent        a document breaks the contract: path, rule and value say where and why
     +-- UnknownProtocol     a document names a protocol for which no contract is held
     +-- OptionError         an event was asked for with options that are missing, foreign or unusable
     +-- ConfigError         settings contradict each other or cannot be read
     +-- ConnectionFailed    no server could be reached in time
     +-- NotAuthorised       a server refused the credentials, or a subject
     +-- DeliveryFailed      a publish was not confirmed; says whether the event may still arrive
     +-- NoStream            no JetStream stream, or bucket, keeps what was asked for
     +-- MissingExtra        an optional dependency is not installed
     +-- AddressInUse        another program listens where this one was to

Nothing else leaves the library, apart from what Python itself raises for a wrong call.
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
    """The base of all errors of this library; catch it to catch them all. They can be copied and pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from their positional arguments alone, which leaves out what ours are made of.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[LifecycleError], args: tuple[object, ...], attributes: dict[str, object]) -> LifecycleError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


class InvalidEvent(LifecycleError):
    """A document or an event breaks the contract.

    Attributes:
        message: what is wrong and what would be right, safe to show.
        path: the JSON path of the place, `$` for the whole document.
        rule: the rule that was broken: a keyword of JSON Schema such as `required`, or one of ours such as `size`.
        value: what was found, safe to show; None where there is nothing to show.
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
    """A document names a protocol for which no lifecycle contract is held.

    Attributes:
        protocol: the name as it was read. It is foreign: clean it before showing it.
    """

    def __init__(self, message: str, *, protocol: str) -> None:
        super().__init__(message)
        self.protocol = protocol


class OptionError(LifecycleError):
    """Something was asked for with options that do not make one: an event, a connection, a service.

    Attributes:
        missing: the required options that were not given.
        unexpected: the options that there are not.
        invalid: the options whose values cannot be used.
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
    """No server could be reached within the deadline; the message names the cause and never a secret."""


class NotAuthorised(LifecycleError):
    """A server refused the credentials, or the right to publish or subscribe to a subject."""


class DeliveryFailed(LifecycleError):
    """A publish was not confirmed.

    Attributes:
        subject: the subject it was published on.
        may_arrive: True if the event, or part of a batch, may still reach or have reached the server; False if it
            certainly did not.
    """

    def __init__(self, message: str, *, subject: str, may_arrive: bool) -> None:
        super().__init__(message)
        self.subject = subject
        self.may_arrive = may_arrive


class NoStream(LifecycleError):
    """No JetStream stream, or bucket of keys, keeps what was asked for, or JetStream is not enabled."""


class MissingExtra(LifecycleError):
    """An optional dependency is not installed.

    Attributes:
        extra: the extra of this distribution that brings it, for example `cli`.
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'choria-lifecycle[{extra}]'")
        self.extra = extra


class AddressInUse(LifecycleError):
    """Another program listens on the address that was to be listened on.

    Attributes:
        host: the address, as it was to be bound.
        port: the port.
    """

    def __init__(self, message: str, *, host: str, port: int) -> None:
        super().__init__(message)
        self.host = host
        self.port = port
