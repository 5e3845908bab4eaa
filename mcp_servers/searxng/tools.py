"""The search tools as served.

Pure. Names and parameters are frozen by docs/tools.md; the first is what the small model knows.
"""

from __future__ import annotations

from mcp_servers.protocol.signatures import Param, ToolSpec

_TIME_RANGE = Param("time_range", "how new the pages must be", choices=("day", "week", "month", "year"))

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "web_search",
        "Search the web.",
        "read",
        (Param("query", "what to search for", is_required=True), _TIME_RANGE),
        is_open_world=True,
    ),
    ToolSpec(
        "metasearch",
        "Search the web with every option, and get answers, facts and suggestions too.",
        "read",
        (
            Param("query", "what to search for", is_required=True),
            Param("categories", "such as general, news, science, it, images, videos, files", type="array"),
            Param("engines", "only these engines, such as wikipedia", type="array"),
            Param("language", "a code such as en or pt-BR, all, or auto"),
            Param("page", "which page of results (default: 1)"),
            _TIME_RANGE,
            Param("safe_search", "what is left out", choices=("off", "moderate", "strict")),
            Param("enabled_engines", "beside the usual ones, as engine__category", type="array"),
            Param("disabled_engines", "not these, as engine__category", type="array"),
            Param("enabled_plugins", "beside the usual ones", type="array"),
            Param("disabled_plugins", "not these", type="array"),
        ),
        is_open_world=True,
        is_extended=True,
    ),
    ToolSpec(
        "fetch_page",
        "Read a public web page or PDF as clean text, part by part.",
        "read",
        (
            Param("url", "its address", is_required=True),
            Param("section", "only this section: its number, or words of its heading"),
            Param("cursor", "from the answer before, to go on there"),
            Param("max_chars", "characters that may be returned (default: 8000)"),
        ),
        is_open_world=True,
        is_extended=True,
    ),
)
