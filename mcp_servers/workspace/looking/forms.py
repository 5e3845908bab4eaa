"""Which files a search is for: `*.py`, `**/*.py`, `src/*.{c,h}`, `*.py, *.ts`, as editors and ripgrep read them.

Pure. A form without a slash is one of names, any other one of paths, from the top of the workspace or from where the search begins. More is
let through rather than less, so that nobody takes what was not looked at for something that is not there: `*` stands for slashes, too.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders.textual import visible
from mcp_servers.workspace.model import Place

MAX_FORMS = 64
MAX_CHARS = 2_000
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")


class Form:
    """A form that files may have.

    Args:
        said: as the model wrote it; nothing stands for every file.
        top: where the search begins.

    Raises:
        Refusal: it stands for too many others.
    """

    def __init__(self, said: str, top: Place) -> None:
        self.said = said.strip()
        self._top = top
        self._forms = _spelled(self.said) if self.said else ()

    def fits(self, file: Place) -> bool:
        if not self._forms:
            return True
        paths = {file.shown, "/".join(file.parts), "/".join(file.parts[len(self._top.parts) :])}
        return any(
            any(fnmatchcase(path, form) for path in paths) if "/" in form else fnmatchcase(file.name, form)
            for form in self._forms
        )  # fmt: skip


def _spelled(said: str) -> tuple[str, ...]:
    """The forms that it stands for, itself among them: a name may hold commas and braces."""
    problem = f'The form "{visible(said[:200])}" stands for too many others. Give a simpler one.'
    if len(said) > MAX_CHARS:  # to look for its braces alone would take long
        raise Refusal(problem)
    waiting, plain = [said], [said]
    while waiting:
        form = waiting.pop()
        if (start := form.find("**/")) >= 0:  # some folders, or none
            waiting += [form[:start] + "*/" + form[start + 3 :], form[:start] + form[start + 3 :]]
        elif choice := _CHOICE.search(form):
            waiting += [form[: choice.start()] + each.strip() + form[choice.end() :] for each in choice[1].split(",")]
        else:
            plain += [_bare(each) for each in form.split(",")]
        if len(waiting) + len(plain) > MAX_FORMS:
            raise Refusal(problem)
    return tuple(dict.fromkeys(filter(None, plain)))


def _bare(form: str) -> str:
    """Without the signs for the place where a search begins anyway; a folder's name stands for what is in it."""
    form = form.strip()
    while form.startswith(("./", "/")):
        form = form.removeprefix(".").removeprefix("/")
    return form + "*" if form.endswith("/") else form
