"""Commands of the ledger's operator: keys, checkpoints, proofs, and the log as static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.application import JsonOption, PidArgument, app, bytes_of, opened, output, pid_of
from domain.errors import RefusedInput
from domain.times import to_text
from store.settings import Settings

ledger_commands = typer.Typer(
    no_args_is_help=True, help="Proof that nothing was altered: keys, checkpoints, proofs, tiles."
)
app.add_typer(ledger_commands, name="ledger")
key_commands = typer.Typer(no_args_is_help=True, help="The keys that sign checkpoints.")
ledger_commands.add_typer(key_commands, name="key")

KeyOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="Public key (vkey) that signed the older one; default: those in the key folder."),
]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="File of the signed checkpoint to use; default: the newest.")
]


@key_commands.command()
def generate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the log, such as museum.example/ledger.")],
    as_json: JsonOption = False,
) -> None:
    """Make the first key of a log, in the folder PROVENARIUM_KEYS."""
    from audit.tlog import keys

    settings = Settings.from_environment()
    key = keys.generate(settings.keys, name, settings.key_passphrase)
    out = output(as_json)
    if out.as_json:
        out.value({"vkey": str(key), "folder": str(settings.keys)})
    else:
        out.say(f"the private key is in {settings.keys}; give others the public key:")
        out.say(str(key))


@key_commands.command()
def rotate(as_json: JsonOption = False) -> None:
    """Replace the key by a new one; the old private key is destroyed, its public key stays known."""
    from audit.tlog import keys

    settings = Settings.from_environment()
    key = keys.rotate(settings.keys, settings.key_passphrase)
    out = output(as_json)
    if out.as_json:
        out.value({"vkey": str(key), "folder": str(settings.keys)})
    else:
        out.say("give others the new public key:")
        out.say(str(key))


@key_commands.command()
def export(
    present: Annotated[bool, typer.Option("--present", help="Only the key that signs now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every public key of the log, oldest first, with the time it signed; the last one signs now."""
    from audit.tlog import keys

    out = output(as_json)
    published = keys.public(Settings.from_environment().keys)[-1 if present else 0 :]
    if out.as_json:
        out.lines(
            {"vkey": str(each.key), "since": to_text(each.since), "until": to_text(each.until) if each.until else None}
            for each in published
        )
    else:
        for each in published:
            out.raw(f"{each.key}\n")


@ledger_commands.command()
def checkpoint(
    file: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Also write the checkpoint to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign the ledger as it is now; give the checkpoint to somebody else to keep."""
    from audit.publishing import sign_checkpoint
    from audit.tlog.checkpoint import Checkpoint

    out = output(as_json)
    with opened() as ledger, out.progress("checkpoint", "entries") as tick:
        note = sign_checkpoint(ledger, ledger.settings.keys, ledger.settings.key_passphrase, tick)
    if file is not None:
        _write(file, bytes(note))
    if out.as_json:
        signed = Checkpoint.parse(note.text)
        out.value({"origin": signed.origin, "size": signed.size, "root": signed.root.hex(), "note": str(note)})
    else:
        out.raw(str(note))


@ledger_commands.command()
def prove(
    pid: PidArgument,
    version: Annotated[int | None, typer.Option(min=1, help="Version number; default: the last.")] = None,
    checkpoint_file: CheckpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the proof that a version is in the checkpointed ledger (C2SP tlog-proof)."""
    from audit.publishing import prove_inclusion

    out = output(as_json)
    name, in_pid = pid_of(pid)
    with opened() as ledger:
        number = version or in_pid or ledger.get(name).version
        proof = prove_inclusion(ledger, name, number, _read(checkpoint_file))
    if out.as_json:
        out.value({"pid": name, "version": number, "proof": proof})
    else:
        out.raw(proof)


@ledger_commands.command()
def consistency(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="File of the older checkpoint.")],
    checkpoint_file: CheckpointOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the proof that the ledger only grew since an older checkpoint, as C2SP tlog-witness takes it."""
    from audit.publishing import prove_consistency
    from audit.witnesses import signed_checkpoint

    out = output(as_json)
    with opened() as ledger:
        before = signed_checkpoint(ledger.settings.keys, old, key)
        proof = prove_consistency(ledger, before, _read(checkpoint_file))
    if out.as_json:
        out.value({"proof": proof})
    else:
        out.raw(proof)


@ledger_commands.command()
def tiles(
    folder: Annotated[Path, typer.Option("--output", "-o", file_okay=False, help="Folder of the static copy.")],
    checkpoint_file: CheckpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the log as static files (C2SP tlog-tiles), or bring such a copy up to date; any web server can serve it."""
    from audit.publishing import sign_checkpoint, write_tiles

    out = output(as_json)
    note = _read(checkpoint_file)
    with opened() as ledger, out.progress("tiles", "entries") as tick:
        if note is None:
            note = bytes(sign_checkpoint(ledger, ledger.settings.keys, ledger.settings.key_passphrase, tick))
        result = write_tiles(ledger, folder, note, tick)
    if out.as_json:
        out.value({**result, "folder": str(folder)})
    else:
        out.say(f"{folder} holds the log up to entry {result['size']}: {result['files']} files written")


def _read(file: Path | None) -> bytes | None:
    return None if file is None else bytes_of(file)


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise RefusedInput(f"cannot write {file}: {error.strerror}; choose another file with -o") from None
