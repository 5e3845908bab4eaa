"""What planning rests on where something is in the way: heads with tags, cards that nobody counts or that answer late, squeezed loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from config.schema import EngineSettings
from inference.cards import late
from inference.cards.card import Card
from inference.cards.estimate import MIB, OVERHEAD_MIB, estimate_mib
from inference.cards.late import await_cards
from inference.cards.lender import Lender
from inference.cards.memory import MemoryBook
from inference.cards.nvml import NvmlProbe
from inference.cards.returning import CardMemory
from inference.catalog import Catalog, ModelSpec, build_catalog
from inference.reload import Reloader
from inference.runtimes.gguf_header import read_keys
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Evict, Fits, Impossible, Limits, plan
from tests.fakes.children import FakeChildren
from tests.fakes.gguf_file import gguf, number_key, text_key, texts_key
from tests.fakes.nvml import FakeCardMemory, FakeNvml
from tests.inference.engines import settings, supervised, until
from tests.inference.test_card_memory import had
from tests.inference.test_scheduler_rules import spec

TAGS = (texts_key("general.tags", ["facebook", "meta"]), texts_key("general.languages", ["en", "de"]))
CARD = Card(0, "", "", 24564, 24000)
SECOND = replace(CARD, index=1)
TWO_LLMS = Limits(max_llm=2)


def head(*between: bytes, told: str = "block_count") -> bytes:
    numbers = {told: 80, "embedding_length": 8192, "attention.head_count": 64, "attention.head_count_kv": 8}
    return gguf([text_key("general.architecture", "llama"), *between, *(number_key(f"llama.{key}", n) for key, n in numbers.items())], {})


def model(folder: Path, name: str, mib: int, begin: bytes | None = None) -> ModelSpec:
    """Without a number of layers, so that its runtime fits it in."""
    path = folder / f"{name}.gguf"
    with path.open("wb") as file:
        file.write(begin or head())
        file.truncate(mib * MIB)
    return replace(spec(name, 1), path=path, context=4096)


def test_lists_of_texts_before_the_shape_hide_nothing_of_it(tmp_path: Path) -> None:
    keys = read_keys(head(*TAGS))
    assert keys["general.tags"] == ("facebook", "meta")
    assert {key: value for key, value in keys.items() if key not in ("general.tags", "general.languages")} == read_keys(head())
    assert "llama.block_count" not in read_keys(head(texts_key("tokenizer.ggml.tokens", ["a"] * 5000)))
    # Layers that stay in main memory are known as such, and the cache is reckoned.
    for begin in (head(), head(*TAGS)):
        large = replace(model(tmp_path, "large", 40000, begin), n_gpu_layers=40)
        known = MemoryBook(tmp_path / "memory.json", tmp_path).memory({"large": large}, None, 512, (CARD,))
        assert isinstance(plan({"large": large}, [], "large", known), Fits)
        whole = replace(large, n_gpu_layers=999)
        assert estimate_mib(whole, 40000 * MIB, read_keys(begin)) == 40000 + 80 * 16 + OVERHEAD_MIB


def test_a_model_that_may_be_offloaded_in_part_is_not_refused_because_its_layers_are_unknown(tmp_path: Path) -> None:
    for layers, kind in ((40, Fits), (98, Fits), (99, Impossible), (999, Impossible)):
        large = replace(model(tmp_path, "large", 40000, head(told="unheard")), n_gpu_layers=layers)
        known = MemoryBook(tmp_path / "memory.json", tmp_path).memory({"large": large}, None, 512, (CARD,))
        assert isinstance(plan({"large": large}, [], "large", known), kind)


def test_memory_that_the_person_tells_is_that_of_each_card(tmp_path: Path) -> None:
    large = replace(model(tmp_path, "large", 38000), n_gpu_layers=999)
    small = replace(model(tmp_path, "small", 1000), gpus=(1,))

    def planned(large: ModelSpec, total_mib: int | None, *cards: Card, beside: ModelSpec | None = None) -> tuple[list[int], object]:
        specs = {"large": large} | ({} if beside is None else {"small": beside})
        known = MemoryBook(tmp_path / "memory.json", tmp_path).memory(specs, total_mib, 512, cards)
        return sorted(known.gpus_mib), type(plan(specs, [], "large", known))

    assert planned(large, None, CARD, SECOND) == ([0, 1], Fits)
    assert planned(large, 24000, CARD, SECOND) == ([0, 1], Fits)
    # Where no card says anything there may be more of them than anybody names.
    assert planned(large, 24560) == ([0], Fits)
    assert planned(large, 24560, beside=small) == ([0, 1], Fits)
    assert planned(large, 24560, beside=replace(small, gpus=(0,))) == ([0], Fits)
    assert planned(replace(large, tensor_split=(1, 1)), 24560) == ([0, 1], Fits)
    assert planned(replace(large, gpus=(0, 1)), 24560) == ([0, 1], Fits)
    # What is known to be too little is told, as ever.
    assert planned(replace(large, gpus=(0,)), 24560) == ([0], Impossible)
    assert planned(large, 24000, CARD) == ([0], Impossible)
    assert planned(large, None, CARD) == ([0], Impossible)
    assert planned(replace(large, tensor_split=(3, 1)), 24560) == ([0, 1], Impossible)


def test_a_load_that_was_squeezed_into_what_was_free_is_no_measure_of_what_a_model_wants(tmp_path: Path) -> None:
    specs = {"a": model(tmp_path, "a", 19000), "b": model(tmp_path, "b", 5800)}

    def beside_b(a: ModelSpec, held_mib: int | None) -> object:
        """Planned anew after a restart, and at once: as the load's news has it."""
        place = tmp_path / "memory.json"
        place.unlink(missing_ok=True)
        book, those = MemoryBook(place, tmp_path), {**specs, "a": a}
        known = book.memory(those, None, 512, (CARD,))
        if held_mib is not None:
            taken = book.learn(a, {0: held_mib})
            assert taken == {0: held_mib}
            known = replace(known, measured_mib={"a": taken})
            assert book.shares_mib(a) == {0: held_mib}
            again = MemoryBook(place, tmp_path).memory(those, None, 512, (CARD,))
            assert plan(those, ["b"], "a", again, TWO_LLMS) == plan(those, ["b"], "a", known, TWO_LLMS)
        return type(plan(those, ["b"], "a", known, TWO_LLMS))

    for held_mib in (None, 11000, 17000):
        assert beside_b(specs["a"], held_mib) is Evict
    # While it is there, what it holds counts: another finds the rest free.
    place = tmp_path / "memory.json"
    book = MemoryBook(place, tmp_path)
    assert book.learn(specs["a"], {0: 11000}) == {0: 11000}
    squeezed = book.memory(specs, None, 512, (CARD,))
    assert isinstance(plan(specs, ["a"], "b", squeezed, TWO_LLMS), Fits)
    # All layers but those that the person keeps off the card, or all: it is as measured.
    told = (("-ngl", "all"), ("--fit", "off"), ("--no-mmproj-offload",))
    for changes in ({"n_gpu_layers": 30}, {"n_cpu_moe": 9}, *({"extra_args": arguments} for arguments in told)):
        assert beside_b(replace(specs["a"], **changes), 11000) is Fits  # pyright: ignore[reportArgumentType]
    assert beside_b(replace(specs["a"], n_gpu_layers=30, extra_args=("-ngl", "auto")), 11000) is Evict
    # What the person says that it needs is enough.
    assert beside_b(replace(specs["a"], estimate_mib=10000), 11000) is Fits
    # Tables that stay in main memory by design.
    tables = number_key("llama.embedding_length_per_layer_input", 256)
    assert beside_b(model(tmp_path, "a", 19000, head(tables)), 11000) is Fits
    # Larger than the card: all the room that there is.
    assert beside_b(model(tmp_path, "a", 38000), 22000) is Evict
    # What it fills then, but for a little, is all that it can have: a small one may stay.
    specs["b"] = replace(specs["b"], estimate_mib=400)
    for held_mib, found in ((None, Evict), (11000, Evict), (23400, Fits)):
        assert beside_b(model(tmp_path, "a", 38000), held_mib) is found


def test_a_program_that_uses_no_card_takes_nothing_of_it(tmp_path: Path) -> None:
    book, a = MemoryBook(tmp_path / "memory.json", tmp_path), model(tmp_path, "a", 19000)
    (tmp_path / "model-a.log").write_text("load_tensors:   CPU_Mapped model buffer size =   281.81 MiB\n", encoding="utf-8")
    assert book.learn(a, {}) == 0
    assert book.memory({"a": a}, None, 512, (CARD,)).measured_mib == {"a": 0}


def test_a_look_that_fails_takes_nothing_away_from_what_was_seen(tmp_path: Path) -> None:
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    assert book.memory({}, None, 512).gpus_mib == {}
    assert not book.has_cards
    for cards in ((CARD,), ()):
        assert book.memory({}, None, 512, cards).gpus_mib == {0: 24052}
        assert book.has_cards


@pytest.mark.anyio
async def test_planning_anew_takes_the_settings_that_hold_and_tells_of_no_new_ones(caplog: pytest.LogCaptureFixture) -> None:
    planned: list[EngineSettings] = []

    def read() -> EngineSettings:
        raise AssertionError("nobody has changed the file")

    async def apply(new: EngineSettings, _catalog: Catalog, replaced: frozenset[str]) -> None:
        assert not replaced
        planned.append(new)
        if len(planned) > 1:
            raise RuntimeError("a mistake of ours")

    reloader = Reloader(settings(), read, apply)
    await reloader.plan_anew()
    assert planned == [settings()]
    assert "settings" not in caplog.text
    await reloader.plan_anew()
    assert "a mistake of ours" in caplog.text


@pytest.mark.anyio
async def test_cards_that_answer_late_are_planned_with_and_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "FIRST_PAUSE_S", 0.01)
    nvml = FakeNvml(24564)
    nvml.has_driver = False
    look, catalog = NvmlProbe(nvml), build_catalog(settings())
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    book.memory(catalog.models, None, 512, look())
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, {"small": {0: 12000}}))
    memory = CardMemory(book, look)
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, memory=memory) as supervisor, anyio.create_task_group() as tasks:

            async def plan_anew() -> None:
                known = book.memory(catalog.models, None, 512, look())
                await supervisor.reconfigure(catalog, Policy(catalog.models, memory=known), frozenset())

            tasks.start_soon(await_cards, look, plan_anew)
            (tmp_path / "model-small.log").write_text("load_tensors:  CUDA0 model buffer size = 12000.00 MiB\n", encoding="utf-8")
            await had(supervisor, "small")
            nvml.has_driver = True
            await until(supervisor, lambda state: state.policy.memory.gpus_mib == {0: 24052})
            await until(supervisor, lambda state: "small" in state.policy.memory.measured_mib)
            nvml.take(77, {0: 10000})
            lender = Lender(supervisor, memory, 4000, drain_s=20)
            for now in (0, 3):
                await lender.look(now)
            await until(supervisor, lambda state: state.models["small"].phase == "unloaded")
            assert supervisor.status("").lent_mib == {0: 10000}
