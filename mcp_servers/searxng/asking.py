"""What a search asks of an instance: the person's words and choices as SearXNG's documented parameters.

Pure. Engines and categories are names of the instance; anything in them that it could take for more is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.outside.quoting import clean_line
from mcp_servers.searxng.answers import MAX_QUERY_CHARS, plain_query

SAFE_SEARCH = {"off": "0", "moderate": "1", "strict": "2"}
MAX_PAGE = 50
MAX_NAMES = 20
NAMES = {
    "categories": "news",
    "engines": "wikipedia",
    "enabled_engines": "wikipedia__general",
    "disabled_engines": "bing__general",
    "enabled_plugins": "oa_doi_rewrite",
    "disabled_plugins": "calculator",
}
"""Parameters that are lists of the instance's own names, and one that there may be."""
EMPTY_QUERY = "There is nothing to search for. Give a few words."
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z]{2})?|all|auto")
_NAME = re.compile(r"[\w .+&/'()-]{1,60}")


def parameters_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """A search's parameters.

    Raises:
        Refusal: one cannot be meant; the sentence says what is.
    """
    query = plain_query(str(arguments.get("query", "")))
    if not query:
        raise Refusal(EMPTY_QUERY)
    parameters = {"q": query, "format": "json", "pageno": str(_page(str(arguments.get("page", "1"))))}
    for name in NAMES:
        if arguments.get(name):
            parameters[name] = _names(name, arguments[name])
    # They leave the house as the query does, and are a few words as it is.
    if sum(len(parameters.get(name, "")) for name in NAMES) > MAX_QUERY_CHARS:
        raise Refusal(f"All names together are longer than {MAX_QUERY_CHARS} characters. Give fewer.")
    if arguments.get("language"):
        parameters["language"] = _language(str(arguments["language"]))
    if arguments.get("time_range"):
        parameters["time_range"] = str(arguments["time_range"])
    if arguments.get("safe_search"):
        parameters["safesearch"] = SAFE_SEARCH[str(arguments["safe_search"])]
    return parameters


def _page(said: str) -> int:
    if not said.isascii() or not said.isdecimal() or len(said) > len(str(MAX_PAGE)) or not 1 <= int(said) <= MAX_PAGE:
        raise Refusal(f'"page" must be a number from 1 to {MAX_PAGE}.')
    return int(said)


def _language(said: str) -> str:
    if not _LANGUAGE.fullmatch(said):
        raise Refusal('"language" must be a code such as en or pt-BR, or all, or auto.')
    language, _, country = said.replace("_", "-").partition("-")
    return f"{language.lower()}-{country.upper()}" if country else language.lower()


def _names(what: str, said: Sequence[str]) -> str:
    """Names for one parameter; a comma in one would make two of it."""
    names = [clean_line(name) for name in said]
    if len(names) > MAX_NAMES or not all(_NAME.fullmatch(name) for name in names):
        raise Refusal(f'"{what}" must be names as the instance lists them, such as {NAMES[what]}.')
    return ",".join(names)
