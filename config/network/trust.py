"""Which certificates a client of ours trusts: the system's, or those of one file that the person named, and what is said of others."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

_REFUSED = "CERTIFICATE_VERIFY_FAILED"
_WRONG_NAME = "mismatch"
"""What OpenSSL's sentence holds where a certificate is good and made out to somebody else."""


class CertificatesRefused(Exception):
    """A file that nobody can be trusted by; the text names it and says why."""


def trust_of(ca: Path | None) -> ssl.SSLContext | Literal[True]:
    """What an HTTP client takes as `verify`.

    Args:
        ca: certificates in PEM, which alone are trusted then: of an authority, or a server's own. None for those of the system.

    Raises:
        CertificatesRefused: the file cannot be read, or holds no certificate.
    """
    if ca is None:
        return True
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise CertificatesRefused(f"{ca} holds no certificate in PEM.") from error
    except OSError as error:
        raise CertificatesRefused(f"{ca} cannot be read: {error.strerror}.") from error
    # A server's own certificate, or one in the middle of a chain, was named on purpose.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def why_untrusted(url: str, error: BaseException | None, setting: str | None = None) -> str | None:
    """What to tell a person whose client did not trust the certificate of `url`; None where that is not what went wrong.

    Args:
        url: what was asked.
        error: what the client said.
        setting: the key of `agent.toml` that names a certificate for this machine alone. None: it is asked with `--ca`, or is the agent's
            own engine, for which `variet connect` keeps it.
    """
    text = str(error)
    if _REFUSED not in text:
        return None
    if _WRONG_NAME in text:
        return f"The certificate of {url} is made out to another name or address. Ask by that one, or have it made out to this one."
    untrusted = f"This machine does not trust the certificate of {url}. Name the file of the certificate that vouches for it"
    if setting is not None:
        return f"{untrusted} as {setting} in agent.toml."
    # Not just "connect": that makes another engine the agent's own.
    return f"{untrusted} with --ca FILE; of the agent's own engine `variet connect URL --ca FILE` keeps it, as engine.ca in agent.toml."
