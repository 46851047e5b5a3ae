"""`tender-risk keys`: the keys of the service, added and revoked while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json, err, out, print_json

app = typer.Typer(help="The API keys of the service.", no_args_is_help=True)
KeyFile = Annotated[
    Path | None,
    typer.Option("--file", help="The key file. By default TENDER_RISK_KEYS_FILE, or keys.jsonl in the data directory."),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who gets it; a name may have several keys.")],
    scope: Annotated[list[str] | None, typer.Option(help="score, portfolio or admin; may be given again.")] = None,
    expires: Annotated[str | None, typer.Option(help="Days from now, or a day: 90, 2027-01-31.")] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Requests a minute; no limit without.")
    ] = None,
    at_once: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Requests at the same time.")] = None,
    file: KeyFile = None,
    json: Json = False,
) -> None:
    """Make a key and print it, this once. A running service takes it at once."""
    from serving import key_file
    from serving.audit.trail import note_command

    until = key_file.expiry(expires) if expires else None
    limit = at_once or key_file.AT_ONCE
    path = file or key_file.key_place()
    text, key = key_file.add_key(path, name, scope or key_file.PLAIN_SCOPES, until, per_minute, limit)
    note_command("key added", f"{key.name} {key.id}", note=f"{', '.join(key.scopes)}; until {key.expires or 'revoked'}")
    if json:
        print_json({"key": text, "id": key.id, "name": key.name, "scopes": key.scopes, "expires": key.expires})
        return
    err.print(f"The key of {key.name} ({', '.join(key.scopes)}), which is shown this once and kept as a digest:")
    out.print(text)


@app.command("list")
def list_keys(file: KeyFile = None, json: Json = False) -> None:
    """List the keys: names, ids, scopes and limits, never the keys themselves."""
    from serving import key_file

    for key in key_file.read_keys(file or key_file.key_place(), "keys"):
        if json:
            print_json({"id": key.id, "name": key.name, "scopes": key.scopes, "created": key.created,
                        "expires": key.expires, "expired": key.has_expired(key_file.today()),
                        "per_minute": key.per_minute, "at_once": key.at_once})  # fmt: skip
            continue
        until = f"until {key.expires}" if key.expires else "until it is revoked"
        gone = " (expired)" if key.has_expired(key_file.today()) else ""
        limit = f"{key.per_minute:,} a minute, " if key.per_minute else ""
        out.print(f"{key.id}  {key.name}  {', '.join(key.scopes)}  {limit}{key.at_once} at once  {until}{gone}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A name, for all its keys, or the id of one.")],
    file: KeyFile = None,
    json: Json = False,
) -> None:
    """Take a key away. A running service refuses it at once."""
    from serving import key_file
    from serving.audit.trail import note_command

    path = file or key_file.key_place()
    for key in key_file.revoke_key(path, name):
        note_command("key revoked", f"{key.name} {key.id}")
        print_json({"id": key.id, "name": key.name}) if json else out.print(f"Revoked {key.id} of {key.name}.")
