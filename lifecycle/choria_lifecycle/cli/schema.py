"""`lifecycle schema`: list and show the contracts, with their sources and corrections."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.parameters import OUTPUT
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.support.text import quoted
from choria_schemas.registry import CONTRACTS, UPSTREAM_COMMIT, UPSTREAM_REPOSITORY

if TYPE_CHECKING:
    from choria_schemas.registry import Contract

__all__ = ["command"]


@click.group("schema", help=COMMANDS["schema"])
def command() -> None:
    """Group the subcommands."""


@command.command("list", cls=Command, help="List the contracts.")
@OUTPUT
def list_contracts(output: str) -> None:
    """Print one line per contract."""
    contracts = [contract for protocol, contract in CONTRACTS.items() if protocol == contract.protocol]
    if output == "json":
        for contract in contracts:
            click.echo(json.dumps(_metadata(contract)))
        return
    width = max(len(contract.protocol) for contract in contracts)
    click.echo(f"{'PROTOCOL':{width}}  SOURCE    CORRECTIONS")
    for contract in contracts:
        source = "local" if contract.source == "local" else "upstream"
        click.echo(f"{contract.protocol:{width}}  {source:8}  {len(contract.corrections) or '-'}")
    click.echo(f"\nupstream: {UPSTREAM_REPOSITORY} at {UPSTREAM_COMMIT}")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    return [CompletionItem(protocol) for protocol in CONTRACTS if protocol.startswith(incomplete)]


@command.command("show", cls=Command, help="Show a contract: its JSON Schema, with corrections applied.")
@click.argument("protocol", shell_complete=_complete)
@OUTPUT
def show(protocol: str, output: str) -> None:
    """Print the contract of a protocol, in either spelling."""
    contract = CONTRACTS.get(protocol)
    if contract is None:
        close = get_close_matches(protocol, CONTRACTS, n=1)
        hint = f"did you mean {close[0]}?" if close else "`lifecycle schema list` lists all protocols"
        raise click.BadParameter(f"no contract for {quoted(protocol, 100)}; {hint}", param_hint="PROTOCOL")
    if output == "json":
        click.echo(json.dumps({**_metadata(contract), "schema": contract.schema()}))
        return
    also = ", ".join(contract.protocols[1:])
    local = contract.source == "local"
    click.echo(f"protocol    {contract.protocol}{f', formerly {also}' if also else ''}")
    click.echo(f"schema      {contract.path}, {contract.schema_id}")
    click.echo(f"source      {'local: upstream publishes none' if local else UPSTREAM_REPOSITORY}")
    if not local:
        click.echo(f"commit      {contract.source}")
    for pointer, reason, _ in contract.corrections:
        click.echo(f"corrected   {pointer}: {reason}")
    click.echo(f"\n{json.dumps(contract.schema(), indent=2)}")


def _metadata(contract: Contract) -> dict[str, Any]:
    local = contract.source == "local"
    return {
        "protocol": contract.protocol,
        "protocols": contract.protocols,
        "id": contract.schema_id,
        "path": contract.path,
        "source": "local" if local else UPSTREAM_REPOSITORY,
        "commit": None if local else contract.source,
        "corrections": [
            {"pointer": pointer, "reason": reason, "upstream": json.loads(upstream)}
            for pointer, reason, upstream in contract.corrections
        ],
    }
