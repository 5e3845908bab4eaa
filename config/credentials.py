"""Secrets, from the environment or from a file that nobody else can read. They are never part of a settings file, and never printed.

A secret named `engine_key` is `VARIET_ENGINE_KEY` in the environment, else the file `secrets/engine_key` beside the settings.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from config.disk.whole_file import write_whole
from config.paths import Home, make_private

ENGINE_KEY = "engine_key"
"""The secret that an engine with keys wants to see; `variet engine keys add` makes one there."""
OTHERS = 0o077
"""Mode bits that let anyone but the owner in."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class CredentialError(Exception):
    """A secret is there but must not be used: the text says which file, why, and how to put it right."""


def read_secret(name: str, *, home: Home | None = None, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """One secret, or None where it is not set.

    Args:
        name: lower case, such as `engine_key`.
        home: whose files; None for the one that the environment names.
        environ: the environment, which wins over the file.

    Raises:
        CredentialError: others can read the file, it belongs to someone else, or it holds no text.
    """
    # Files of variables and secrets of containers end it with a line end or a blank, as a file of its own does.
    value = environ.get(_variable(name), "").strip()
    if value:
        return SecretStr(value)
    return _read_private(secret_file(name, home=home or Home.find(environ)))


def read_key(name: str, *, home: Home | None = None, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """One secret that is shown in the head of a request; arguments as for `read_secret`.

    Raises:
        CredentialError: as for `read_secret`, or it holds what no key has: it could not be sent, and nobody would say why.
    """
    secret = read_secret(name, home=home, environ=environ)
    if secret is not None and not is_key(secret.get_secret_value()):
        is_of_variable = bool(environ.get(_variable(name), "").strip())
        where = _variable(name) if is_of_variable else secret_file(name, home=home or Home.find(environ))
        raise CredentialError(f"{where} holds no key: one has plain letters, digits and signs, without blanks. Put the key alone into it.")
    return secret


def is_key(text: str) -> bool:
    """Whether a text can be sent as a key: copied out of a page or a letter, one may have a dash, dots or a mark that nobody sees."""
    return text.isascii() and text.isprintable() and " " not in text


def write_secret(name: str, value: SecretStr, *, home: Home) -> Path:
    """Keep a secret in the home, readable by its owner only from the first byte on."""
    file = secret_file(name, home=home)
    make_private(file.parent)
    write_whole(file, value.get_secret_value() + "\n")
    return file


def forget_secret(name: str, *, home: Home) -> None:
    """Delete a secret that is kept in the home, if there is one."""
    secret_file(name, home=home).unlink(missing_ok=True)


def secret_file(name: str, *, home: Home) -> Path:
    """Where a secret is kept when the environment does not have it."""
    return home.config_dir / "secrets" / _checked(name)


def why_refused(url: str, *, was_shown: bool, name: str = ENGINE_KEY, engine: str | None = None) -> str:
    """What to tell a person whom an engine did not let in.

    Args:
        url: what was asked.
        was_shown: it saw a key, and does not take it.
        name: of the secret that it is to see.
        engine: where `variet connect` finds it; None for `url`.
    """
    what = "does not take the key that it was shown" if was_shown else "wants a key, and there is none for it here"
    if name == ENGINE_KEY:
        keep = f"`variet connect {engine or url}` keeps it here and makes that the agent's engine; VARIET_ENGINE_KEY shows it without that"
    else:
        keep = f"Put it into {_file_told(name)}, or into {_variable(name)}"
    return f"What answers at {url} {what}. Make one on its machine with `variet engine keys add NAME`. {keep}."


def why_declined(who: str, said: str, *, was_shown: bool, name: str) -> str:
    """What to tell a person whom a server did not let in that is no engine of ours; its keys are made elsewhere.

    Args:
        who: the server.
        said: how it refused.
        was_shown: it saw a key.
        name: of the secret that it is to see.
    """
    none = "" if was_shown else ", and there is none"
    return f"{who} does not take its key ({said}). It is read from {_file_told(name)}, or from {_variable(name)}{none}."


def _file_told(name: str) -> str:
    return f"the file secrets/{name} beside agent.toml, for you alone (chmod 600)"


def _variable(name: str) -> str:
    return f"VARIET_{_checked(name).upper()}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a secret's name is lower-case letters, digits and _: {name!r}")
    return name


def _read_private(file: Path) -> SecretStr | None:
    try:
        if file.is_dir():
            raise CredentialError(f"{file} is a folder, and a secret is a file. Remove it, and write the secret into a file of that name.")
        # Windows' editors put a mark before the text.
        with open(os.open(file, os.O_RDONLY), encoding="utf-8-sig") as stream:
            # The open file is looked at, not the name: nothing can be put in its place in between.
            _check_owner(file, os.fstat(stream.fileno()))
            value = stream.read().strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        # Not from it: it holds what was read, and a log shows the cause of an error too.
        raise CredentialError(f"{file} holds no text in UTF-8. Write the secret into it again, and save it in UTF-8.") from None
    except OSError as error:
        raise CredentialError(f"{file} cannot be read: {error.strerror}.") from error
    return SecretStr(value) if value else None


def _check_owner(file: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return  # A user's profile is private there, and mode bits mean nothing.
    if status.st_mode & OTHERS:
        raise CredentialError(f"{file} can be read by others (mode {status.st_mode & 0o777:04o}). Make it private: chmod 600 {file}")
    if status.st_uid != os.geteuid():
        raise CredentialError(f"{file} belongs to another user (uid {status.st_uid}). Only its owner may use it.")
