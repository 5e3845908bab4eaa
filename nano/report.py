"""Writes REPORT.md from what training and scoring left in `work/`: the recipe, the loss curve and every score.

No figure in it is typed by hand.
"""

from __future__ import annotations

import json
from math import log10
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORK = HERE / "work"
SHIPPED = HERE.parent / "inference" / "embedded" / "nano.gguf"
WIDTH, HEIGHT, MARGIN = 640, 240, 40


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def loss_curve(points: list[tuple[int, float]]) -> str:
    """The curve as SVG, the loss on a logarithmic scale from 10 down to 0.001."""
    last = max(step for step, _ in points)

    def place(step: int, loss: float) -> str:
        from_top = (1 - log10(max(loss, 0.001))) / 4
        return f"{MARGIN + (WIDTH - 2 * MARGIN) * step / last:.1f},{MARGIN / 2 + (HEIGHT - MARGIN) * from_top:.1f}"

    def rule(exponent: int) -> str:
        y = MARGIN / 2 + (HEIGHT - MARGIN) * (1 - exponent) / 4
        line = f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        return f'{line}<text x="4" y="{y + 4:.1f}" font-size="11">{10.0**exponent:g}</text>'

    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    curve = f'<polyline fill="none" stroke="#2563eb" points="{" ".join(place(step, loss) for step, loss in points)}"/>'
    foot = f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 4}" text-anchor="end" font-size="11">step {last}</text></svg>'
    return "".join([head, *(rule(exponent) for exponent in (1, 0, -1, -2, -3)), curve, foot, "\n"])


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _judged(report: dict[str, Any]) -> str:
    rows = [(name, s["cases"], s["act"], s["arguments"], s["reply"]) for name, s in report["intents"].items()]
    every = report["all"]
    rows.append(("**all**", every["cases"], every["act"], every["arguments"], every["reply"]))
    return _table(("intent", "cases", "right act", "and right arguments", "right reply"), rows)


def _sections(
    log: list[dict[str, Any]], recipe: dict[str, Any], evaluated: dict[str, Any], told: dict[str, Any], judged: dict[str, Any]
) -> list[str]:
    every = max(1, len(log) // 12)
    outside = judged["outside_reach"]
    checked = [p for p in log if "exact" in p]
    return [
        "# The small model that ships",
        "Written by `make nano` (its last step) from what training and scoring left; "
        f"the steps below took {log[-1]['seconds'] / 60:.0f} minutes on two busy cores.",
        "## Recipe",
        _table(("what", "value"), [*recipe.items(), ("file", f"{SHIPPED.stat().st_size:,} bytes (Q8_0)")]),
        "The chat template lists each tool as one line, `name(needed, optional?)`. The model is trained on conversations of up to "
        "2,048 tokens and on up to 16 tools at once.",
        "## Loss",
        "![loss](loss.svg)",
        "Of the tokens that the model has to write; drills included while they last.",
        _table(("step", "loss", "tokens seen"), [(p["step"], p["loss"], f"{p['tokens']:,}") for p in log[::every]]),
        "Of held-out turns, the share that it would write exactly, by what they are (the last figures are of the end of the run, before "
        "it is rounded to eight bits):",
        _table(("step", *checked[-1]["exact"]), [(p["step"], *p["exact"].values()) for p in checked]),
        "## Its own distribution",
        f"Held-out seeds, exact acts and exact replies at temperature 0 through the server: **{evaluated['exact']}** of "
        f"{evaluated['turns']} turns (`python -m nano.evaluate`).",
        _table(("intent", "exact"), list(evaluated["by_intent"].items())),
        "## Results told whole",
        f"Of {told['results']} results over the demo's invented weeks, the share of those whose every event or mail is in the answer: "
        f"**{told['told_whole']}** (`python -m nano.told`).",
        _table(("what was listed", "told whole"), list(told["kinds"].items())),
        "## The judged set",
        "Written by someone who never saw the generator, committed before training (`tests/judged`), run through engine, agent and "
        "tool servers (`python -m nano.judge`).",
        _judged(judged),
        f"Requests outside its reach: {outside['wrong_actions']} wrong actions in {outside['cases']}.",
    ]


def main() -> None:
    log = _lines(WORK / "loss.jsonl")
    read = [json.loads((WORK / name).read_text(encoding="utf-8")) for name in ("recipe.json", "evaluated.json", "told.json", "judged.json")]
    (HERE / "loss.svg").write_text(loss_curve([(p["step"], p["loss"]) for p in log]), encoding="utf-8")
    (HERE / "REPORT.md").write_text("\n\n".join(_sections(log, *read)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
