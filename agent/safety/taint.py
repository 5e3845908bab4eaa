"""What a session has heard: from the first result on that anyone could have written, an outsider may speak through the model.

That label is kept per session: coarse, but it cannot be talked away. Beside it stand the texts themselves, and what the person typed, so
that of a single value it can be told where it comes from (`agent.safety.provenance`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.calls.handles import Field
from agent.changing import changed
from agent.event_parts import DEFERRED_TEXT, Picture
from agent.events import Attached, CallDecided, Event, ToolFinished, ToolStarted, TurnStarted
from agent.safety.asking import Asked
from agent.safety.provenance import Brought, Origins
from agent.view.own_names import READ_MORE, RECALL

DICTATED = "every word of it stands in what the person typed for this turn"
"""Why a call runs unasked although outside text was read."""
_READ_AGAIN = frozenset({READ_MORE, RECALL})
"""Tools that bring only what the log holds whole already, under the name of who read it first: a page of the web stays public."""


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
    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])
    """Values of results that a call may name, by handle."""
    asked: Asked = Asked()
    said: str = ""
    """What the person typed for this turn; empty where it was not a person."""
    dictated: frozenset[str] = frozenset()
    """Tools that this turn has used unasked on the person's own words."""
    has_written: bool = False
    """Something was changed after outside text was read: what is stored may say now what an outsider wants said."""
    asks: Mapping[str, str] = field(default_factory=dict[str, str])
    """The arguments of each call that reads and was run, by `TURN/CALL`: its result may repeat them."""
    effects: frozenset[str] = frozenset()
    """Calls that change something once they start, as `TURN/CALL`."""

    @property
    def is_tainted(self) -> bool:
        return bool(self.sources)

    def after(self, event: Event) -> Taint:
        """The taint once this event has happened. It never shrinks, and an event that comes twice counts once."""
        asked = self.asked.after(event, is_tainted=self.is_tainted)
        heard = self if asked is self.asked else changed(self, asked=asked)
        match event:
            case TurnStarted():
                return heard._typed(event.text)._beside(event.attached)._shown(event.pictures)
            case ToolFinished():
                named = heard._named(event) if event.fields else heard
                return named._brought(event) if event.taints and event.name not in _READ_AGAIN else named
            case CallDecided():
                return heard._decided(event)
            case ToolStarted():
                return heard._started(event)
            case _:
                return heard

    def _typed(self, text: str) -> Taint:
        # The host's own words about an approved call quote what outsiders wrote.
        is_own = not text.startswith(DEFERRED_TEXT)
        fresh = changed(self, said=text if is_own else "", dictated=frozenset())
        return changed(fresh, typed=(*self.typed, text)) if is_own and text not in self.typed else fresh

    def _named(self, event: ToolFinished) -> Taint:
        fields = {handle: Field(event.name, value, event.taints) for handle, value in event.fields.items()}
        # Logs of before hold one name for the same text of two tools: then it is from outside if either was.
        kept = {handle: each for handle, each in self.fields.items() if handle not in fields or each.is_outside}
        return changed(self, fields={**self.fields, **fields, **kept})

    def _decided(self, event: CallDecided) -> Taint:
        if event.reason == DICTATED:
            return changed(self, dictated=self.dictated | {event.name})
        if event.tool_class == "read" or event.verdict == "deny":
            return self
        return changed(self, effects=self.effects | {f"{event.turn}/{event.call}"})

    def _started(self, event: ToolStarted) -> Taint:
        call = f"{event.turn}/{event.call}"
        if call in self.effects:
            return changed(self, has_written=True) if self.is_tainted else self
        return changed(self, asks={**self.asks, call: event.arguments})

    def _beside(self, attached: tuple[Attached, ...]) -> Taint:
        """A person shows what others wrote: it is no word of theirs."""
        sources = tuple(f"the attached {each.name}" for each in attached)
        texts = tuple(Brought(source, each.text) for source, each in zip(sources, attached, strict=True))
        return changed(self, sources=tuple(dict.fromkeys((*self.sources, *sources))), brought=tuple(dict.fromkeys((*self.brought, *texts))))

    def _shown(self, pictures: tuple[Picture, ...]) -> Taint:
        """Anybody may have written what stands in a picture, and it is the person's own; its words are nowhere to be compared with."""
        shown = tuple(Brought(f"the picture {each.name}", "", is_picture=True) for each in pictures)
        sources = dict.fromkeys((*self.sources, *(each.tool for each in shown)))
        return changed(self, sources=tuple(sources), brought=tuple(dict.fromkeys((*self.brought, *shown))))

    def _brought(self, event: ToolFinished) -> Taint:
        asked = self.asks.get(f"{event.turn}/{event.call}", "")
        text = Brought(event.name, event.whole or event.text, asked, is_picture=bool(event.pictures))
        return changed(
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
