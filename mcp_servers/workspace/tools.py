"""The workspace tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md. None of them is among those that the small model is shown.
"""

from __future__ import annotations

from dataclasses import replace

from mcp_servers.protocol.signatures import Param, ToolSpec

_PATH = "a file, from the top of the workspace: src/app.py"
_PREVIEW = Param("preview", "only show the diff, write nothing", type="boolean")

_TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "read_file",
        "Read a text file of the workspace, with line numbers.",
        "read",
        (
            Param("path", _PATH, is_required=True),
            Param("lines", "which lines: 40-80, 120- (default: from the first)"),
            Param("max_chars", "characters that may be returned (default: 16000)"),
        ),
    ),
    ToolSpec(
        "list_files",
        "List a folder of the workspace as a tree, without what .gitignore leaves out.",
        "read",
        (
            Param("path", "the folder (default: the whole workspace)"),
            Param("depth", "how many folders deep (default: 3)"),
            Param("all", "also what .gitignore leaves out", type="boolean"),
        ),
    ),
    ToolSpec(
        "search_files",
        "Search the text files of the workspace, line by line.",
        "read",
        (
            Param("pattern", "the words as they are, or a regular expression", is_required=True, is_verbatim=True),
            Param("path", "the folder or file (default: the whole workspace)"),
            Param("glob", "only files of this form: *.py, src/*.c"),
            Param("regex", "the pattern is a regular expression", type="boolean"),
            Param("ignore_case", "upper and lower case are the same", type="boolean"),
            Param("context", "lines shown around each match (default: 0)"),
        ),
    ),
    ToolSpec(
        "list_changes",
        "List what these tools changed, newest first, and what can be undone.",
        "read",
        (),
    ),
    ToolSpec(
        "edit_file",
        "Replace one piece of text in a file, exactly.",
        "write",
        (
            Param("path", _PATH, is_required=True),
            Param("old_text", "the text to replace, exactly as in the file", is_required=True, is_verbatim=True),
            Param("new_text", "what takes its place", is_required=True, is_verbatim=True),
            Param("all", "replace it everywhere in the file", type="boolean"),
            _PREVIEW,
        ),
        is_overwriting=True,
    ),
    ToolSpec(
        "apply_patch",
        "Apply a unified diff to files of the workspace, all of it or nothing.",
        "write",
        (Param("patch", "the unified diff; /dev/null as old file makes a new one", is_required=True, is_verbatim=True), _PREVIEW),
        is_overwriting=True,
    ),
    ToolSpec(
        "create_file",
        "Create a new text file, and the folders above it.",
        "write",
        (Param("path", _PATH, is_required=True), Param("text", "what is in it", is_required=True, is_verbatim=True)),
    ),
    ToolSpec(
        "move_file",
        "Move or rename a file or folder; nothing is replaced.",
        "write",
        (Param("path", "the file or folder", is_required=True), Param("to", "its new path, name included", is_required=True)),
    ),
    ToolSpec(
        "delete_file",
        "Delete a file or folder; it is kept in a trash and can be brought back.",
        "delete",
        (Param("path", "the file or folder", is_required=True),),
    ),
    ToolSpec(
        "undo_change",
        "Undo one change of these tools.",
        "write",
        (Param("change", "its number from list_changes, such as c12 (default: the newest)"),),
        is_overwriting=True,
    ),
    ToolSpec(
        "run_command",
        "Run a program in the workspace, without a shell.",
        "run",
        (
            Param("command", 'program and arguments, such as ["git", "status"]', is_required=True, type="array"),
            Param("folder", "where it runs (default: the top of the workspace)"),
            Param("timeout", "seconds that it may take"),
        ),
        is_open_world=True,
    ),
    ToolSpec(
        "run_tests",
        "Run the tests of the workspace.",
        "run",
        (Param("path", "only those of this file or folder"),),
        is_open_world=True,
    ),
    ToolSpec(
        "run_checks",
        "Run the linter or type checker of the workspace and list what it finds.",
        "run",
        (Param("path", "only this file or folder"),),
        is_open_world=True,
    ),
)
TOOLS = tuple(replace(spec, is_extended=True) for spec in _TOOLS)
