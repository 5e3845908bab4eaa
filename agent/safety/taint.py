"""What a session has heard: from the first result on that anyone could have written, an outsider may speak through the model.

That label is kept per session: coarse, but it cannot be talked away. Beside it stand the texts themselves, and what the person typed, so
that of a single value it can be told where it comes from (`agent.safety.provenance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.events import Attached, Event, ToolFinished, TurnStarted
from agent.safety.approvals import DEFERRED_TEXT
from agent.safety.asking import Asked
from agent.safety.provenance import Brought, Origins


@dataclass(frozen=True)
class Taint:
    """What a session has heard and asked, as a fold over its events."""

    sources: tuple[str, ...] = ()
    """The tools whose results tainted it, in the order in which they were read."""
    typed: tuple[str, ...] = ()
    """What the person wrote."""
    brought: tuple[Brought, ...] = ()
    """What outsiders could have written, each text once."""
    lookups: frozenset[str] = frozenset()
    """Calls that brought something, as `TURN/CALL/TOOL`."""
    asked: Asked = Asked()

    @property
    def is_tainted(self) -> bool:
        return bool(self.sources)

    def after(self, event: Event) -> Taint:
        """The taint once this event has happened. It never shrinks, and an event that comes twice counts once."""
        asked = self.asked.after(event, is_tainted=self.is_tainted)
        heard = self if asked is self.asked else replace(self, asked=asked)
        if isinstance(event, TurnStarted):
            return heard._typed(event.text)._beside(event.attached)
        return heard._brought(event) if isinstance(event, ToolFinished) and event.taints else heard

    def _typed(self, text: str) -> Taint:
        # The host's own words about an approved call quote what outsiders wrote.
        if text.startswith(DEFERRED_TEXT) or text in self.typed:
            return self
        return replace(self, typed=(*self.typed, text))

    def _beside(self, attached: tuple[Attached, ...]) -> Taint:
        """A person shows what others wrote: it is no word of theirs."""
        sources = tuple(f"the attached {each.name}" for each in attached)
        texts = tuple(Brought(source, each.text) for source, each in zip(sources, attached, strict=True))
        return replace(self, sources=tuple(dict.fromkeys((*self.sources, *sources))), brought=tuple(dict.fromkeys((*self.brought, *texts))))

    def _brought(self, event: ToolFinished) -> Taint:
        text = Brought(event.name, event.whole or event.text)
        return replace(
            self,
            sources=self.sources if event.name in self.sources else (*self.sources, event.name),
            brought=self.brought if text in self.brought else (*self.brought, text),
            lookups=self.lookups | {f"{event.turn}/{event.call}/{event.name}"},
        )

    def origins(self, is_public: Callable[[str], bool]) -> Origins:
        """The texts, by who may know them.

        Args:
            is_public: whether what a tool of that name brings stands on the web.
        """
        private = tuple(text for text in self.brought if not is_public(text.tool))
        return Origins(self.typed, private, tuple(text for text in self.brought if is_public(text.tool)))

    def public_lookups(self, is_public: Callable[[str], bool]) -> int:
        """How often the session asked the web."""
        return sum(is_public(lookup.rsplit("/", 1)[-1]) for lookup in self.lookups)
