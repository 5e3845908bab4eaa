"""Count what the engine does, for Prometheus: requests, waits, loads, tokens, and what is there now.

Owned by the event loop; counting never waits. Labels are names out of the settings and keys out of the key file, never a client's text,
so that nobody can make the page grow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from inference.activity.finished import Finished
from inference.contract import EngineStatus, Resources
from inference.observing.exposition import Family, Histogram, Sample, page
from inference.scheduling.endings import LoadEnd

WAIT_BOUNDS_S = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""From a request that was let through at once to one that saw a large model load from a cold disk."""
RATE_BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
"""Tokens per second: from a model that is too large for its machine to a tiny one on a card."""
_MIB = 2**20


class Metrics:
    """The counts of one engine since its start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._tokens: Counter[tuple[str, str, str]] = Counter()
        self._bytes: Counter[str] = Counter()
        self._failed_loads: Counter[str] = Counter()
        self._queued = _histograms(WAIT_BOUNDS_S)
        self._first_token = _histograms(WAIT_BOUNDS_S)
        self._loads = _histograms(WAIT_BOUNDS_S)
        self._rates = _histograms(RATE_BOUNDS)

    def observe(self, finished: Finished) -> None:
        """Count one finished request."""
        model, key = finished.model or "", finished.key or ""
        self._requests[model, key, finished.outcome, finished.code or ""] += 1
        self._bytes[model] += finished.bytes
        if finished.model is None:
            return
        self._queued[model].observe(finished.queued_s)
        counts = {"prompt": finished.prompt_tokens, "cached": finished.cached_tokens, "completion": finished.completion_tokens}
        for kind, count in counts.items():
            if count:
                self._tokens[model, key, kind] += count
        if finished.first_token_s is not None:
            self._first_token[model].observe(finished.first_token_s)
        if finished.tokens_per_s is not None:
            self._rates[model].observe(finished.tokens_per_s)

    def observe_swap(self, end: LoadEnd) -> None:
        """Count a load that is over; one that was stopped on its way is neither a swap nor a failure."""
        if end.outcome == "ready":
            self._loads[end.model].observe(end.seconds)
        elif end.outcome == "failed":
            self._failed_loads[end.model] += 1

    def page(self, status: EngineStatus, resources: Resources, lost: int) -> str:
        """The page for a scraper; `lost` is how many records the activity log could not keep."""
        return page([*self._counted(), *_present(status), *_used(resources), _plain("variet_activity_lost_total", _LOST, lost, "counter")])

    def _counted(self) -> Iterable[Family]:
        names = ("model", "key", "outcome", "code")
        yield Family("variet_requests_total", "counter", "Finished requests.", _samples(names, self._requests))
        yield Family("variet_tokens_total", "counter", "Tokens, as the models counted them.", _samples(names[:2] + ("kind",), self._tokens))
        yield Family(
            "variet_answer_bytes_total", "counter", "Bytes of answers.", [Sample(n, {"model": model}) for model, n in self._bytes.items()]
        )
        failed = [Sample(count, {"model": model}) for model, count in self._failed_loads.items()]
        yield Family("variet_load_failures_total", "counter", "Loads that failed.", failed)
        yield _spread("variet_swap_seconds", "Seconds that loads took; the count is the number of swaps.", self._loads)
        yield _spread("variet_queue_seconds", "Seconds that requests waited, without the load.", self._queued)
        yield _spread("variet_first_token_seconds", "Seconds from a request to the first part of its stream.", self._first_token)
        yield _spread("variet_tokens_per_second", "Tokens written per second, by answers.", self._rates)


_LOST = "Records that the activity log could not keep."


def _present(status: EngineStatus) -> Iterable[Family]:
    def gauge(name: str, text: str, values: Mapping[str, float]) -> Family:
        return Family(name, "gauge", text, [Sample(value, {"model": model}) for model, value in values.items()])

    models = status.models
    yield gauge("variet_model_loaded", "1 for a model that answers at once.", {each.name: float(each.state == "ready") for each in models})
    yield gauge("variet_in_flight", "Requests that are being answered.", {each.name: each.in_flight for each in models})
    yield gauge("variet_queue_length", "Requests that wait.", {each.name: each.waiting for each in models})
    oldest = max((each.waited_s for each in status.queue), default=0.0)
    yield _plain("variet_queue_oldest_seconds", "How long the oldest waiting request has waited.", oldest)
    yield Family("variet_build_info", "gauge", "Always 1.", [Sample(1, {"version": status.version})])


def _used(resources: Resources) -> Iterable[Family]:
    known = [each for each in (resources.engine, *resources.models) if each.resident_mib is not None]
    resident = [Sample((each.resident_mib or 0.0) * _MIB, {"process": each.name}) for each in known]
    yield Family("variet_resident_memory_bytes", "gauge", "Main memory of the engine and of each model's process.", resident)
    for name, text, share in (("total", "Memory of each GPU.", "total_mib"), ("free", "Free memory of each GPU.", "free_mib")):
        samples = [Sample(getattr(gpu, share) * _MIB, {"gpu": str(gpu.index), "name": gpu.name}) for gpu in resources.gpus]
        yield Family(f"variet_gpu_memory_{name}_bytes", "gauge", text, samples)
    held = [Sample(mib * _MIB, {"model": model, "gpu": str(gpu.index)}) for gpu in resources.gpus for model, mib in gpu.used_by.items()]
    yield Family("variet_model_gpu_memory_bytes", "gauge", "Memory of each GPU that a model holds, as far as the card tells.", held)


def _plain(name: str, text: str, value: float, kind: str = "gauge") -> Family:
    return Family(name, "counter" if kind == "counter" else "gauge", text, [Sample(value)])


def _histograms(bounds: Sequence[float]) -> defaultdict[str, Histogram]:
    return defaultdict(partial(Histogram, bounds))


def _samples(names: Sequence[str], counts: Mapping[tuple[str, ...], int]) -> list[Sample]:
    return [Sample(count, dict(zip(names, values, strict=True))) for values, count in counts.items()]


def _spread(name: str, text: str, histograms: Mapping[str, Histogram]) -> Family:
    return Family(name, "histogram", text, [sample for model, each in histograms.items() for sample in each.samples({"model": model})])
