"""What a turn took and how full the model's context is, in one line."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.events import Event, ModelReplied, RouteChosen, TurnStarted


@dataclass(frozen=True)
class Meter:
    """The numbers of the turn that was shown last, as a fold over its events."""

    tier: str = ""
    n_ctx: int = 0
    tokens: int = 0
    """Of the last request with its answer."""
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    """Of the last prompt; None where the server does not say."""
    elapsed_s: float = 0.0

    def after(self, event: Event) -> Meter:
        """The meter once this event has happened."""
        match event:
            case TurnStarted():
                return Meter()
            case RouteChosen():
                return replace(self, tier=event.tier, n_ctx=event.n_ctx)
            case ModelReplied():
                known = event.processed_tokens is not None
                return replace(
                    self,
                    tokens=event.prompt_tokens + event.completion_tokens,
                    prompt_tokens=event.prompt_tokens,
                    cached_tokens=event.cached_tokens if known else None,
                    elapsed_s=self.elapsed_s + event.elapsed_s,
                )
            case _:
                return self

    def line(self) -> str:
        """`fast · 5,010 of 8,192 tokens (61 %) · 96 % from the cache · 3.2 s`; empty where no model has answered."""
        if not self.tokens:
            return ""
        size = f"{self.tokens:,} tokens"
        if self.n_ctx:
            size = f"{self.tokens:,} of {self.n_ctx:,} tokens ({self.tokens / self.n_ctx:.0%})".replace("%", " %")
        parts = [self.tier, size]
        if self.cached_tokens is not None and self.prompt_tokens:
            parts.append(f"{self.cached_tokens / self.prompt_tokens * 100:.0f} % from the cache")
        if self.elapsed_s:
            parts.append(f"{self.elapsed_s:.1f} s")
        return " · ".join(filter(None, parts))
