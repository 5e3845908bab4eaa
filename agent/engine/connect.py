"""`variet connect URL`: pair this machine with an engine; nothing is kept until the engine has taken the key."""

from __future__ import annotations

import ipaddress
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx2
from pydantic import SecretStr

from agent.cli import ENGINE_KEY
from agent.engine.pairing import KeyWanted, Paired, get_to_know
from agent.errors import AgentError, EngineUnreachable
from agent.service.address import Address
from config.credentials import CredentialError, forget_secret, is_key, read_key, read_secret, write_secret
from config.disk.whole_file import PRIVATE_FILE_MODE, write_whole
from config.editing import EditRefused, drop_text, set_text
from config.load import ConfigError, load_agent
from config.network.trust import CertificatesRefused, trust_of
from config.paths import Home
from config.plain import neutralise, one_line
from config.shapes.routing import bare_address
from inference.contract.status import ServedModel

FAILED = 1
WRONG_USAGE = 2
NO_ENGINE = 3
MARK = "\ufeff"
"""What some of Windows' editors put before a text in UTF-8; a file that has it keeps it."""
EPILOG = """\b
Examples:
  variet connect http://192.168.1.10:8000
  variet connect https://bigbox.local:8000 --key-stdin < key.txt
  variet connect https://192.168.1.10:8000 --ca house.pem

Exit codes: 0 connected, 1 the engine refused or speaks another contract, 2 wrong usage or settings, 3 no engine answers.
"""


@click.command(epilog=EPILOG)
@click.argument("url")
@click.option("--key-stdin", is_flag=True, help="Read the key from standard input instead of asking for it.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate, in PEM, that vouches for the engine's: an authority's or the engine's own. It is kept as engine.ca.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was learnt as one JSON object.")
def connect(url: str, ca: Path | None, *, key_stdin: bool, as_json: bool) -> None:
    """Use the engine at URL from now on: its key is kept privately, its address is written into agent.toml.

    The key is the one that `variet engine keys add NAME` showed on the engine's machine.
    """
    home = Home.find()
    try:
        place = _place(url)
        if ca is not None and not place.startswith("https:"):
            raise click.UsageError(f"{place} shows no certificate; --ca is for https.")
        ca = _known_ca(home, place) if ca is None else ca.absolute()
        key = _typed_key(sys.stdin.readline()) if key_stdin else _known_key(home, place)
        with httpx2.Client(trust_env=False, verify=trust_of(ca)) as http:
            try:
                paired = get_to_know(place, key, http)
            except KeyWanted:
                if key_stdin or as_json or not sys.stdin.isatty():
                    raise
                key = _typed_key(click.prompt("Key", hide_input=True, err=True))
                paired = get_to_know(place, key, http)
        _keep(home, place, key, ca)
    except (AgentError, CertificatesRefused, ConfigError, CredentialError, EditRefused) as error:
        click.echo(f"variet connect: {neutralise(str(error))}", err=True)
        sys.exit(_exit_code(error))
    click.echo(json.dumps(_facts(paired)) if as_json else _text(paired))
    _warn(home, place, key)


def _exit_code(error: Exception) -> int:
    match error:
        case EngineUnreachable():
            return NO_ENGINE
        case AgentError():
            return FAILED
        case _:
            return WRONG_USAGE


def _place(url: str) -> str:
    """The engine's address in the form in which it is kept, and no public one that shows the key to everybody on the way."""
    try:
        place = bare_address(url.strip())
    except ValueError:
        raise click.UsageError(f"{url!r} is no address of an engine; give it as http://192.168.1.10:8000") from None
    parts = urlsplit(place)
    if parts.scheme == "http" and _is_public(parts.hostname or ""):
        raise click.UsageError(f"{url} is a public address: the key would cross the internet readable. Use https, or a private network.")
    return place


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _typed_key(text: str) -> SecretStr:
    # A file that is piped in may begin with the mark of Windows' editors.
    key = text.removeprefix(MARK).strip()
    if not key or not is_key(key):
        raise click.UsageError("That is no key. `variet engine keys add NAME` shows one on the engine's machine.")
    return SecretStr(key)


def _known_key(home: Home, place: str) -> SecretStr | None:
    """The key that is kept, for the engine that it is kept for: no other machine gets to see it."""
    return read_key(ENGINE_KEY, home=home) if load_agent(home=home).engine.url == place else None


def _known_ca(home: Home, place: str) -> Path | None:
    """Who vouches for that engine, as it was kept; not for another one."""
    link = load_agent(home=home).engine
    return link.ca if link.url == place else None


def _keep(home: Home, place: str, key: SecretStr | None, ca: Path | None) -> None:
    """The address last: a key without its engine is shown to nobody."""
    home.prepare()
    file = home.agent_toml
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            whole = stream.read()
    except FileNotFoundError:
        whole = ""
    before = whole.removeprefix(MARK)
    after = set_text(before, "engine", "url", place)
    if ca is None:
        after = drop_text(after, "engine", "ca")
    elif ca != load_agent(home=home).engine.ca:
        after = set_text(after, "engine", "ca", str(ca))
    if key is None:
        forget_secret(ENGINE_KEY, home=home)
    else:
        write_secret(ENGINE_KEY, key, home=home)
    if after != before:
        _replace(file, f"{whole[: len(whole) - len(before)]}{after}")


def _replace(file: Path, text: str) -> None:
    # Where it is a link, what it leads to is changed: people keep their settings elsewhere.
    real = file.resolve()
    mode = real.stat().st_mode & 0o777 if real.exists() else PRIVATE_FILE_MODE
    write_whole(real, text, mode=mode)


def _facts(paired: Paired) -> dict[str, object]:
    """What was learnt, for a program."""
    served = [{"name": each.id, **each.meta.model_dump()} for each in paired.served.data]
    return {"url": paired.url, "version": paired.version, "contract": paired.contract, "served": served}


def _text(paired: Paired) -> str:
    tiers = [each for each in paired.served.data if each.meta.kind == "tier"]
    lines = [f"Connected to {paired.url} (engine {one_line(paired.version)}, contract {paired.contract})."]
    lines += [f"  {_tier(each)}" for each in tiers]
    others = len(paired.served.data) - len(tiers)
    return "\n".join([*lines, *([f"  and {others} more names"] if others else [])])


def _tier(served: ServedModel) -> str:
    meta = served.meta
    parts = [f"{one_line(served.id):<12} {one_line(meta.model)}", f"{meta.n_ctx} tokens of context"]
    parts += [", ".join(meta.capabilities)] if meta.capabilities else []
    if meta.rates is not None and meta.rates.decode_tps is not None:
        parts.append(f"{meta.rates.decode_tps:.0f} tokens/s")
    parts.append(meta.state if meta.available else f"not available: {one_line(meta.reason or '')}")
    return "; ".join(parts)


def _warn(home: Home, place: str, key: SecretStr | None) -> None:
    parts = urlsplit(place)
    if parts.scheme == "http" and key is not None and not _is_loopback(parts.hostname or ""):
        click.echo("Without https the key and all texts cross your network readable.", err=True)
    if key is not None and read_secret(ENGINE_KEY, home=home) != key:
        click.echo("VARIET_ENGINE_KEY holds another key and goes before the one that was just kept.", err=True)
    if load_agent(home=home).engine.url != place:
        click.echo("VARIET_AGENT__ENGINE__URL names another engine and goes before agent.toml.", err=True)
    if Address.of_running(home) is not None:
        click.echo("The agent service that runs uses this engine from its next start on.", err=True)
