"""Search values to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly the texts of `web_search`: change a character there and the shipped model no longer knows it.
"""

from __future__ import annotations

from mcp_servers.outside.quoting import count_text, item_lines, shortened
from mcp_servers.searxng.model import Answer, Infobox, Page, Result

NOT_SET_UP = "Web search is not set up. Set searxng.urls in agent.toml."
NO_INSTANCE_ANSWERED = "No search instance answered. Try again later."
NO_JSON = "The search instance refuses JSON. Add json to search.formats in its settings.yml."
LIMITED = (
    "The search instance refuses programs (429, its limiter). If it is yours, set server.limiter to false in its settings.yml, "
    "or name this machine in pass_ip of its limiter.toml."
)
NOTHING_SHOWN = "The page shows no text without its scripts. Open it yourself."
MAX_TITLE_CHARS = 80
MAX_SNIPPET_CHARS = 160
MAX_LONG_CHARS = 600
MAX_SECTIONS = 30


def moved(site: str) -> str:
    """What is said of an instance that sends elsewhere; `site` is its scheme and host."""
    return f"The search instance sends to {site} instead of answering. If it has moved there, set that in searxng.urls."


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


def everything_head(query: str, page: int, answer: Answer) -> str:
    """`everest height, page 2: 10 results`."""
    on_page = f", page {page}" if page > 1 else ""
    return f"{query}{on_page}: {count_text(len(answer.results), 'result') if answer.results else 'no results'}"


def everything_text(answer: Answer) -> str:
    """All that an instance said but its failures: answers, facts, results with their addresses, other words to search for."""
    answers = [f"Answer: {_shown(one.text)}{_by(one.engine)}{f', {one.url}' if one.url else ''}" for one in answer.direct]
    corrected = [f"Did you mean: {'; '.join(answer.corrections)}"] if answer.corrections else []
    results = [_long_result(number, result) for number, result in enumerate(answer.results, start=1)]
    boxes = [_infobox_text(box) for box in answer.infoboxes]
    suggested = [f"Also searched for: {'; '.join(answer.suggestions)}"] if answer.suggestions else []
    return "\n".join([*corrected, *answers, *boxes, *results, *suggested])


def failed_lines(answer: Answer) -> list[str]:
    """`No answer from: bing (timeout), qwant (CAPTCHA)`."""
    named = [f"{one.engine} ({one.reason})" if one.reason else one.engine for one in answer.failed]
    return [f"No answer from: {', '.join(named)}"] if named else []


def page_head(page: Page) -> str:
    """What stands above a page's beginning: its title and its sections."""
    named = [f"{one.number} {shortened(one.title, MAX_TITLE_CHARS)}" for one in page.sections[:MAX_SECTIONS]]
    more = [f"and {len(page.sections) - MAX_SECTIONS} more"] if len(page.sections) > MAX_SECTIONS else []
    title = [f"Title: {page.title}"] if page.title else []
    lines = [*title, *([f"Sections: {'; '.join([*named, *more])}"] if len(named) > 1 else [])]
    return "\n".join([*lines, "", ""]) if lines else ""


def page_text(page: Page, block: str, left: int, cursor: str) -> str:
    """`https://example.org/a: 12000 characters, 7 sections`, the block, and how it goes on."""
    sections = f", {count_text(len(page.sections), 'section')}" if page.sections else ""
    head = f"{page.url}: {count_text(len(page.quoted.text), 'character')}{sections}"
    more = [f'{left} more characters: cursor "{cursor}"'] if left else []
    cut = ["The page goes on; no more of it is read."] if page.is_cut and not left else []
    return "\n".join([head, block, *more, *cut])


def _long_result(number: int, result: Result) -> str:
    found = ", ".join([*([result.published[:10]] if result.published else []), *result.engines])
    lines = [f"{number}. {shortened(result.title, 2 * MAX_TITLE_CHARS)}{f' ({found})' if found else ''}", f"   {result.url}"]
    return "\n".join([*lines, *([f"   {_shown(result.snippet)}"] if result.snippet else [])])


def _infobox_text(box: Infobox) -> str:
    facts = [f"   {label}: {shortened(value, MAX_SNIPPET_CHARS)}" for label, value in box.facts]
    links = [f"   {title or 'Link'}: {url}" for title, url in box.links]
    return "\n".join([f"About {box.title}{_by(box.engine)}: {_shown(box.text)}".rstrip(": "), *facts, *links])


def _shown(text: str) -> str:
    return shortened(text, MAX_LONG_CHARS)


def _by(engine: str) -> str:
    return f" ({engine})" if engine else ""
