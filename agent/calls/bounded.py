"""Arguments held against a tool's schema, with an end to the work that it may take.

Pure. A schema is an outsider's, and a few hundred characters of it can ask for more steps than there is time for: each part refers twice to
the next one. The check runs where every conversation waits for it. What is not checked here, the server checks itself, and answers with an
error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

from agent.calls.patterns import are_quick, effort, is_quick
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

KEPT_SCHEMAS = 512
"""Of tools; more than a model is ever shown."""
MOST_STEPS = 20_000
"""Of one check: some tenths of a second. A form that a person would fill in takes a hundred."""
CHARS_PER_WEIGHT = 10_000
"""Of arguments, for each of which a step counts once more: what does not fit is told with its whole value, and put together for that."""
EFFORT_PER_STEP = 1000
"""Of a regular expression."""


class SenselessSchema(Exception):
    """A schema that is none, refers to what is not there, or goes in a circle."""


class _TooMuch(Exception):
    """The steps of a check are used up."""


class _Work:
    """What is left for one check."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._left = MOST_STEPS
        self._weight = 1 + len(canonical_json(arguments)) // CHARS_PER_WEIGHT

    def take(self, steps: int) -> None:
        self._left -= steps * self._weight
        if self._left < 0:
            raise _TooMuch


_work: ContextVar[_Work] = ContextVar("_work")


def first_misfit(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> ValidationError | None:
    """What of some arguments does not fit a schema, the first of it; None where all fits, or nothing was found with as much work as may be.

    Raises:
        SenselessSchema: nothing can be held against it.
    """
    # Imported at the first call: it takes 0.16 s, and most commands never check one.
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    work = _work.set(_Work(arguments))
    try:
        return next(_validator(canonical_json(schema)).iter_errors(arguments), None)
    except _TooMuch:
        return None
    except (SchemaError, Unresolvable, re.error, RecursionError) as error:
        raise SenselessSchema from error
    finally:
        _work.reset(work)


@lru_cache(maxsize=KEPT_SCHEMAS)
def _validator(schema: str) -> Any:
    """What checks arguments; kept, because to check the schema itself takes fifty times as long as the arguments do."""
    from referencing import Registry

    described: Any = json.loads(schema)
    kind = _bounded_kind()
    kind.check_schema(described)
    # The usual registry would fetch whatever address a server's schema names.
    nothing: Registry[Any] = Registry()
    return kind(described, registry=nothing)


@lru_cache(maxsize=1)
def _bounded_kind() -> Any:
    """The validator of JSON Schema that counts its steps, without the patterns that could hold it up."""
    import jsonschema.validators

    library: Any = jsonschema.validators
    usual: Mapping[str, Any] = library.Draft202012Validator.VALIDATORS

    def counted(rule: str) -> Any:
        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            steps = _steps(rule, value, instance)
            if steps:
                _work.get().take(steps)
                yield from usual[rule](validator, value, instance, schema) or ()

        return check

    def by_name(rule: str) -> Any:
        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            if not is_table(instance) or are_quick(schema, instance):
                patterns = schema.get("patternProperties", {})
                _work.get().take(1 + sum(_regex_steps(pattern, name) for pattern in patterns for name in _names(instance)))
                yield from usual[rule](validator, value, instance, schema) or ()

        return check

    # To find what was evaluated, the library walks and matches by a way of its own that goes past all of this.
    unbounded: dict[str, Any] = dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _unchecked)
    names = {rule: by_name(rule) for rule in ("patternProperties", "additionalProperties")}
    kind = library.extend(library.Draft202012Validator, {**{rule: counted(rule) for rule in usual}, **names, **unbounded})
    kind.evolve = _evolved
    return kind


def _unchecked(*_: Any) -> tuple[()]:
    return ()


def _evolved(self: Any, **changes: Any) -> Any:
    """The same validator for a part of the schema; the library's own would leave this kind for the one that a part's `$schema` names."""
    _work.get().take(1)
    return type(self)(**{"schema": self.schema, "registry": self._registry, "_resolver": self._resolver, **changes})


def _steps(rule: str, value: Any, instance: Any) -> int:
    """What a rule of a schema takes for a value, beside the rules within it; 0 for a pattern that is not to be tried."""
    if rule == "pattern" and isinstance(instance, str):
        return 1 + _regex_steps(value, instance) if is_quick(value, (instance,)) else 0
    if rule == "uniqueItems" and isinstance(instance, list):
        return 1 + len(instance) ** 2  # pyright: ignore[reportUnknownArgumentType]
    # Names, choices and branches are gone through one by one.
    return 1 + (len(value) if isinstance(value, list | dict) else 0)  # pyright: ignore[reportUnknownArgumentType]


def _names(instance: Any) -> Iterator[str]:
    yield from instance if is_table(instance) else ()


def _regex_steps(pattern: str, word: str) -> int:
    return 1 + effort(pattern, word) // EFFORT_PER_STEP
