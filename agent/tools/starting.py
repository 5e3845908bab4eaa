"""Why a tool server did not start, in words for the person who named it in the settings.

The library and the system say what failed and not what to do about it: a command that is missing, one that ends at once, an address that
does not answer.
"""

from __future__ import annotations

from pathlib import Path

import httpx2

from agent.tools.endings import is_closed_error
from agent.tools.spec import ServerSpec
from config.network.trust import why_untrusted


def start_problem(spec: ServerSpec, error: BaseException, log_file: Path | None) -> str:
    """Why a server did not start, and what to do about it, in words; empty where nobody knows more than the error says."""
    if isinstance(error, TimeoutError):
        has_written = f"{log_file} has what it wrote, and " if log_file is not None and not spec.url else ""
        return f"it did not start within {spec.longest_start_s:g} s: {has_written}`start_timeout_s` of this server gives it longer"
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


def still_starting(log_file: Path | None) -> str:
    """What is told of a program that nobody waits for any longer, and that is let go on."""
    return f"it is still starting (a first start may download it){f'; {log_file} has what it writes' if log_file is not None else ''}"


def _http_problem(url: str, error: BaseException) -> str:
    """What went wrong on the way to an address; empty where it is something else."""
    if not isinstance(error, httpx2.TransportError):
        return ""
    if why_untrusted(url, error):
        return f"the certificate of {url} is not trusted: name the file that vouches for it as `ca` of this server"
    return f"{url} does not answer ({str(error) or type(error).__name__})"
