"""What must hold for a turn whatever the model says, the servers do, the person answers, and whenever the machine dies."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.calls.assemble import Reply
from agent.events import TURN_ENDS, ApprovalAnswered, CallDecided, CallValue, ToolFinished, ToolStarted
from agent.held_events import ToolTakenBack
from agent.turns.budget import Limits
from agent.turns.effects import Answered, Broke, CallModel, CancelAsked, RunTool, TakenBack, ToolEnded, Woke
from agent.turns.turn_state import Options
from agent.view.context import Conversation
from tests.agent.turns import FACTS, Turn, rules

NAMES = [
    *("list_events", "read_mail", "create_event", "update_event", "delete_event", "send_mail", "strange", "gone", "nonsense"),
    *("edit_file", "delete_file", "run_tests"),
]
calls = st.lists(
    st.builds(
        CallValue, id=st.sampled_from(["", "a", "b"]), name=st.sampled_from(NAMES), arguments=st.sampled_from(["", '{"x":"1"}', "{"])
    ),
    max_size=3,
)
replies = st.builds(Reply, st.sampled_from(["", "text"]), calls=st.builds(tuple, calls), is_cut=st.booleans())
options = st.builds(Options, st.none(), st.frozensets(st.sampled_from(["read", "write", "delete", "send"])), st.booleans())
ACTIONS = ["carry out", "carry out", "carry out", "carry out", "lose", "answer", "take back", "crash", "echo", "time"]


def live(turn: Turn, data: st.DataObject) -> None:
    """One thing that can happen to a turn."""
    match data.draw(st.sampled_from(ACTIONS)) if data.draw(st.integers(0, 30)) else "end":
        case "carry out" if turn.pending:
            effect = data.draw(st.sampled_from(turn.pending))
            turn.carry_out(effect, ok=data.draw(st.booleans()), reply=data.draw(replies) if isinstance(effect, CallModel) else None)
        case "lose" if any(isinstance(effect, RunTool) for effect in turn.pending):
            # The call reaches its server and the machine dies before the answer is stored.
            turn.reach_server(data.draw(st.sampled_from([effect for effect in turn.pending if isinstance(effect, RunTool)])))
            turn.crash()
        case "answer" if turn.asked:
            turn.tell(Answered(data.draw(st.sampled_from(sorted(turn.asked.values(), key=str))).approval, data.draw(st.booleans()), "me"))
        case "take back" if turn.of("tool_held"):
            turn.tell(TakenBack(data.draw(st.sampled_from(turn.of("tool_held"))).hold, "me"))
        case "echo" if turn.of("tool_finished"):
            turn.tell(ToolEnded(data.draw(st.sampled_from(turn.of("tool_finished"))).call, ok=True, text="again"))
        case "crash":
            turn.crash()
        case "time":
            turn.now += data.draw(st.sampled_from([1.0, 40.0]))
            turn.tell(Woke())
        case "end":
            turn.tell(data.draw(st.sampled_from([CancelAsked("me"), Broke("model_failed", "It broke.")])))
        case _:
            pass


def settle(turn: Turn) -> None:
    """Everything that is under way goes well, and nobody answers."""
    for _ in range(200):
        if any(event.type in TURN_ENDS for event in turn.log):
            return
        if turn.pending:
            turn.carry_out(turn.pending[0])
        else:
            turn.now = turn.wake_at or turn.now
            turn.tell(Woke())
    raise AssertionError("the turn does not end")


@settings(max_examples=250, deadline=None)
@given(st.data(), options, st.sampled_from([0.0, 5.0]))
def test_a_turn_keeps_its_promises_through_any_life(data: st.DataObject, chosen: Options, hold_s: float):
    turn = Turn(chosen, rules(limits=Limits(max_steps=4, turn_timeout_s=120), hold_s=hold_s))
    for _ in range(data.draw(st.integers(0, 25))):
        live(turn, data)
        _changes_to_files_follow_one_another(turn)
    settle(turn)
    ends = [event.type in TURN_ENDS for event in turn.log]
    assert ends.count(True) == 1, "exactly one end"
    assert ends[-1], "nothing after the end"
    made = [call.id for reply in turn.of("model_replied") for call in reply.calls]
    finished = [event.call for event in turn.of("tool_finished")]
    assert sorted(made) == sorted(finished), "every call ends with exactly one result"
    _no_side_effect_without_a_yes(turn)
    _what_was_taken_back_never_ran(turn)
    _results_follow_calls_in_order(turn)
    late = [*turn.pending]
    assert turn.tell(ToolEnded(made[0] if made else "", ok=True, text="")) == []
    assert turn.pending == late, "an ended turn asks for nothing"


def _no_side_effect_without_a_yes(turn: Turn) -> None:
    allowed = {event.call for event in turn.log if isinstance(event, CallDecided) and event.verdict == "allow"}
    allowed |= {event.call for event in turn.log if isinstance(event, ApprovalAnswered) and event.outcome == "yes"}
    started = {event.call for event in turn.log if isinstance(event, ToolStarted)}
    ran_as_told = {event.call for event in turn.log if isinstance(event, ToolFinished) and event.decision in ("allow", "asked-yes")}
    assert set(turn.ran) <= started <= allowed, "what runs was started in the log, and what was started was allowed"
    assert started == ran_as_told, "a call's result says how it came to run, or that it did not"
    classes = {event.call: FACTS[event.name].tool_class for event in turn.log if isinstance(event, CallDecided)}
    assert all(count == 1 for call, count in turn.ran.items() if classes[call] != "read"), "no side effect happens twice"


def _changes_to_files_follow_one_another(turn: Turn) -> None:
    names = [call.name for call in turn.state.calls if call.phase in ("preparing", "waiting", "held", "running")]
    assert sum(name in FACTS and FACTS[name].in_order for name in names) <= 1


def _what_was_taken_back_never_ran(turn: Turn) -> None:
    back = {event.call for event in turn.log if isinstance(event, ToolTakenBack)}
    assert not back & {event.call for event in turn.log if isinstance(event, ToolStarted)}
    assert not back & set(turn.ran)


def _results_follow_calls_in_order(turn: Turn) -> None:
    sent = [json.loads(message) for message in Conversation(turn.log).messages]
    assert [message["role"] for message in sent][-1] == "assistant"
    expected: list[str] = []
    for message in sent:
        if expected:
            assert message.get("tool_call_id") == expected.pop(0)
        else:
            assert message["role"] != "tool"
            expected = [call["id"] for call in message.get("tool_calls", [])]
    assert expected == []
