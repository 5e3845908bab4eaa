"""Why a tool server did not start, in words for the person who named it in the settings.

The library and the system say what failed and not what to do about it: a command that is missing, one that ends at once, an address that
does not answer.
"""

from __future__ import annotations

from pathlib import Path

import httpx2

from agent.tools.mcp_wire import is_closed_error
from agent.tools.spec import ServerSpec
from config.trust import why_untrusted


def start_problem(spec: ServerSpec, error: BaseException, log_file: Path | None) -> str:
    """Why a server did not start, and what to do about it, in words; empty where nobody knows more than the error says."""
    if spec.url:
        return _http_problem(spec.url, error)
    command = f"its command {spec.command[0]!r}"
    if isinstance(error, FileNotFoundError):
        return f"{command} was not found: install it, or name its whole path in agent.toml"
    if isinstance(error, PermissionError):
        return f"{command} may not be run: name a program in agent.toml"
    if is_closed_error(error):
        return f"{command} ended as it started{f'; {log_file} has what it wrote' if log_file is not None else ''}"
    return ""


def _http_problem(url: str, error: BaseException) -> str:
    """What went wrong on the way to an address; empty where it is something else."""
    if not isinstance(error, httpx2.TransportError):
        return ""
    if why_untrusted(url, error):
        return f"the certificate of {url} is not trusted: name the file that vouches for it as `ca` of this server"
    return f"{url} does not answer ({str(error) or type(error).__name__})"
