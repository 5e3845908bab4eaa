"""The words that all settings share: what a section, a name, a tag and a problem are.

It exists so that `config.schema` reads as a list of settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError


def whole_address(url: str) -> str:
    """An address as it is written, which clients can take apart: they find out in the middle of a turn what is found out here.

    Raises:
        ValueError: they cannot; what is allowed stands in its context.
    """
    try:
        parts = urlsplit(url)
        # What nobody sees is not printable either, such as the mark that comes with a text out of a page.
        is_whole = bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        is_whole = False
    if not is_whole:
        allowed = "an address such as http://192.168.1.10:8000/v1; its port, where it has one, is from 1 to 65535"
        raise PydanticCustomError("no_address", "no address that can be asked", {"allowed": allowed})
    return url


Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], Strict(strict=False)]
"""A TOML list. Settings are checked strictly; what has no TOML form of its own is exempted."""
File = Annotated[Path, Strict(strict=False)]
"""A file or folder, written as a text."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=100)]
"""A name as it appears in a request: letters, digits, `.`, `_`, `:` and `-`."""
Tag = Annotated[str, StringConstraints(pattern=r"^#[A-Za-z0-9_-]+$")]
"""A word such as `#deep` that a person types in a message."""
WrittenUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
"""An address that is looked at more closely where it is known what for."""
Url = Annotated[WrittenUrl, AfterValidator(whole_address)]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=253)]
"""A machine's name as clients write it into an address: no port, and no pattern that others' names could fit."""
Index = Annotated[int, Field(ge=0)]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
RuntimeName = Literal["llama-server", "vllm", "transformers", "ollama", "whisper", "chatterbox"]
RUNTIMES: tuple[RuntimeName, ...] = ("llama-server", "vllm", "transformers", "ollama", "whisper", "chatterbox")
"""The programs that a model may name; one that is not installed is listed with the reason."""
ModelKind = Literal["llm", "tts", "asr"]
"""What a model does: write, speak, or listen."""
QueuePolicy = Literal["wait", "fail-fast"]
"""What a request does whose model is not there: wait for it, or be told at once."""
Verdict = Literal["allow", "ask", "deny"]
Builtin = Literal["calendars", "mail", "outbox", "searxng", "workspace"]
"""The tool servers that come with Variet."""
BUILTINS: tuple[Builtin, ...] = ("calendars", "mail", "outbox", "searxng")
"""Those that are started unless their `enabled` is false; the workspace needs folders, and a section of its own."""
BUILTIN_MODEL = "builtin:nano"
"""The `path` that names the small model inside the package."""
PROBLEMS = "problems"
"""Key of the error context that carries `Problem`s, for errors that span several keys."""


class Problem(NamedTuple):
    """One thing that is wrong with a settings file."""

    key: str
    """Dotted, as in the file: `tiers.fast`."""
    found: str
    allowed: str


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, no "8000" for 8000.

    Each is made ready when it is first used, for a command imports all of them and reads one file. The texts under the fields are for
    editors (`config.editors`), and read out of the source only there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value out of a TOML file is a section or an inline table."""
    return isinstance(value, dict)
