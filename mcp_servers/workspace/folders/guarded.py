"""Which names are left alone: version control's own folders, and files that hold secrets.

Pure. Names are compared as the most forgiving file system does, so that `.ENV` or `.Git` is no way around.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mcp_servers.workspace.folders.places import folded

VERSION_CONTROL = frozenset({".git", "git~1", ".hg", ".svn", ".jj", ".bzr"})
"""What is in them runs (hooks) or rewrites history. `git~1` is the short name that Windows gives `.git`."""
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud", ".password-store", "secrets"})
_SECRET_FILES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd", ".pgpass", ".my.cnf"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.asc", "*.gpg", "*.age", "*.tfstate", "*.tfstate.*"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials", "credentials.*", "*credentials.json", "secrets.*", "*.secret"),
    *("service-account*.json", "service_account*.json", "client_secret*.json", ".vault-token", ".dockercfg", "token.json"),
)
_OPEN_FILES = (".env.example", ".env.sample", ".env.template", ".env.dist", "*.pub", "secrets.py", "secrets.rs", "secrets.go", "secrets.ts")
"""Named like secrets, and made to be shared."""


def is_version_control(parts: Sequence[str]) -> bool:
    return any(folded(part) in VERSION_CONTROL for part in parts)


def is_secret(parts: Sequence[str], allowed: Sequence[str] = ()) -> bool:
    """Whether the place is one where secrets are kept.

    Args:
        parts: names below the root.
        allowed: patterns of names or of whole paths that the settings open.
    """
    if not parts:
        return False
    names = [folded(part) for part in parts]
    if any(fnmatchcase(target, pattern.casefold()) for pattern in allowed for target in ("/".join(names), names[-1])):
        return False
    return any(_names_a_secret(name) for name in names)


def _names_a_secret(name: str) -> bool:
    if any(fnmatchcase(name, pattern) for pattern in _OPEN_FILES):
        return False
    return name in _SECRET_FOLDERS or any(fnmatchcase(name, pattern) for pattern in _SECRET_FILES)
