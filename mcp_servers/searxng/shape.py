"""Search values to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly these texts: change a character here and the shipped model no longer knows it.
"""

from __future__ import annotations

from mcp_servers.outside.quoting import count_text, item_lines, shortened
from mcp_servers.searxng.model import Answer, Result

NOT_SET_UP = "Web search is not set up. Set searxng.urls in agent.toml."
NO_INSTANCE_ANSWERED = "No search instance answered. Try again later."
NO_JSON = "The search instance refuses JSON. Add json to search.formats in its settings.yml."
EMPTY_QUERY = "There is nothing to search for. Give a few words."
MAX_TITLE_CHARS = 80
MAX_SNIPPET_CHARS = 160


def search_text(answer: Answer) -> str:
    """`3 results`, then `1. Title (example.org): snippet` each; then who did not answer."""
    lines = ["No results found"]
    if answer.results:
        shown = [_result_line(number, result) for number, result in enumerate(answer.results, start=1)]
        lines = [count_text(len(answer.results), "result"), *item_lines(shown)]
    if answer.silent:
        lines.append(f"No answer from: {', '.join(answer.silent)}")
    return "\n".join(lines)


def _result_line(number: int, result: Result) -> str:
    title, snippet = shortened(result.title, MAX_TITLE_CHARS), shortened(result.snippet, MAX_SNIPPET_CHARS)
    head = f"{number}. {title} ({result.site})"
    return f"{head}: {snippet}" if snippet else head
