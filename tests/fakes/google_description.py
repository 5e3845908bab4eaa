"""Google's description of a service, read out of the installed library, and whether a request fits it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast
from urllib.parse import unquote

Json = dict[str, Any]
_KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "object": (dict,)}
_AUTH = "https://www.googleapis.com/auth/"


class Unknown(Exception):
    """The request is none that the description allows."""


@dataclass(frozen=True)
class Called:
    """One call, as the description understands it."""

    method: str
    """`calendar.events.patch`."""
    path: dict[str, str]
    query: dict[str, Any]
    body: Json
    headers: dict[str, str]
    scopes: frozenset[str]

    @property
    def event(self) -> str:
        return self.path.get("eventId", "")


@dataclass(frozen=True)
class Description:
    document: Json
    methods: tuple[tuple[str, re.Pattern[str], Json], ...]

    @classmethod
    def of(cls, name: str, version: str) -> Description:
        folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
        document: Json = json.loads((folder / f"{name}.{version}.json").read_text(encoding="utf-8"))
        methods = list(_methods(document["resources"]))
        return cls(document, tuple((each["httpMethod"], _pattern(document, each), each) for each in methods))

    def call(self, verb: str, path: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]) -> Called:
        """Raises:
        Unknown: nothing of the kind is described.
        """
        for method, pattern, described in self.methods:
            if method == verb and (match := pattern.fullmatch(path)):
                given = {name: unquote(value) for name, value in match.groupdict().items()}
                scopes = frozenset(str(scope).removeprefix(_AUTH) for scope in described.get("scopes", []))
                body = self._body(described, content, is_patch=verb == "PATCH")
                return Called(described["id"], given, self._query(described, query), body, headers, scopes)
        raise Unknown("no such method")

    def _query(self, described: Json, query: dict[str, list[str]]) -> dict[str, Any]:
        known = {**self.document["parameters"], **{k: v for k, v in described.get("parameters", {}).items() if v["location"] == "query"}}
        missing = [name for name, value in known.items() if value.get("required") and name not in query]
        if missing or set(query) - set(known):
            raise Unknown(f"parameters missing {missing}, unknown {sorted(set(query) - set(known))}")
        return {name: _value(name, known[name], values) for name, values in query.items()}

    def _body(self, described: Json, content: bytes, *, is_patch: bool) -> Json:
        if "request" not in described:
            if content:
                raise Unknown("a body where there is none")
            return {}
        try:
            body: Any = json.loads(content)
        except ValueError as error:
            raise Unknown("no JSON") from error
        self._check(body, {"$ref": described["request"]["$ref"]}, "body", is_patch=is_patch)
        return cast("Json", body)

    def _check(self, value: Any, schema: Json, where: str, *, is_patch: bool) -> None:
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        if value is None and is_patch:
            return
        if schema["type"] == "array":
            if not isinstance(value, list):
                raise Unknown(f"{where} is no list")
            for each in cast("list[Any]", value):
                self._check(each, schema["items"], f"{where}[]", is_patch=False)
            return
        kind = _KINDS.get(schema["type"], (object,))
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
            raise Unknown(f"{where} is no {schema['type']}")
        if isinstance(value, dict) and "properties" in schema:
            for name, each in cast("Json", value).items():
                if name not in schema["properties"]:
                    raise Unknown(f"{where} has no field {name}")
                self._check(each, schema["properties"][name], f"{where}.{name}", is_patch=is_patch)


def _methods(resources: Json) -> Iterator[Json]:
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from _methods(resource.get("resources", {}))


def _pattern(document: Json, method: Json) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", f"/{document['servicePath']}{method['path']}")
    return re.compile("".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)))


def _value(name: str, schema: Json, values: list[str]) -> Any:
    if len(values) > 1 and not schema.get("repeated"):
        raise Unknown(f"{name} twice")
    text = values[0]
    if schema.get("enum") and text not in schema["enum"]:
        raise Unknown(f"{name} cannot be {text}")
    if schema["type"] == "boolean":
        if text not in {"true", "false"}:
            raise Unknown(f"{name} is no boolean")
        return text == "true"
    if schema["type"] == "integer":
        if not re.fullmatch(r"-?\d+", text):
            raise Unknown(f"{name} is no number")
        return int(text)
    return text
