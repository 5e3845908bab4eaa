"""Pictures that leave a conversation because a request would be too large, before a server refuses it or after."""

from __future__ import annotations

import base64

import anyio
import pytest

import agent.view.pictures as view_of_pictures
from agent.event_parts import Picture, PictureFile
from agent.events import CacheLost, CallValue, Event, ModelReplied, ToolFinished, TurnDone, TurnFailed, TurnStarted
from agent.view.context import ROOM_BYTES, Conversation
from agent.view.pictures import LEFT_OUT, MAX_PICTURE_BYTES, MAX_PICTURES, MAX_VIEW_BYTES, digests_in, looked_at
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.test_cache_watch import told
from tests.agent.test_nodes import settings_of
from tests.agent.test_pictures import PHOTO, SEES, images, png
from tests.agent.test_window import talk
from tests.fakes.scripted_model import Say, scripted_model


def shown(turn: int, *sizes: int) -> tuple[list[Event], list[Picture]]:
    """A turn with pictures of these sizes in bytes, whose contents nobody needs."""
    seen = looked_at("photo.png", PHOTO.content)
    pictures = [seen.model_copy(update={"digest": f"{turn:032x}{place:032x}", "size": size}) for place, size in enumerate(sizes)]
    started, *rest = talk(str(turn))
    assert isinstance(started, TurnStarted)
    return [started.model_copy(update={"pictures": tuple(pictures)}), *rest], pictures


def test_older_pictures_are_left_out_for_good_before_a_request_is_too_large_for_the_engine():
    log: list[Event] = []
    conversation, sizes, newest = Conversation(prefix_size=4000), dict[str, int](), list[Picture]()
    for turn in range(4):
        events, newest = shown(turn, *[MAX_PICTURE_BYTES] * MAX_PICTURES)
        sizes |= {picture.digest: picture.size for picture in newest}
        log += events
        for event in events:
            conversation.add(event)
        assert sum(sizes[digest] for digest in digests_in(conversation.messages)) * 4 / 3 < 60 * 2**20
    assert digests_in(conversation.messages) == {picture.digest for picture in newest}, "those of the last message stay, all of them"
    assert LEFT_OUT in conversation.messages[0].decode()
    before = list(conversation.messages)
    for event in talk("and now?"):
        conversation.add(event)
        log.append(event)
    assert conversation.messages[: len(before)] == before, "what is left out stays left out"
    assert Conversation(log, prefix_size=4000).messages == conversation.messages, "also when it is read again"
    assert conversation.view().has_pictures
    assert digests_in(conversation.to_summarise(kept_from="")) == set(), "what makes room is not too large itself"


def test_small_pictures_leave_rarely_and_their_tokens_with_them():
    conversation, changes = Conversation(), 0
    for turn in range(60):
        before = list(conversation.messages)
        for event in shown(turn, MAX_VIEW_BYTES // 12)[0]:
            conversation.add(event)
        changes += conversation.messages[: len(before)] != before
    assert 0 < changes < 10
    crowded, roomy = Conversation(shown(0, 9)[0]), Conversation(shown(0, 9)[0])
    crowded.add(shown(1, MAX_VIEW_BYTES)[0][0])
    roomy.add(shown(1, 9)[0][0])
    assert 0 < crowded.view().tokens < roomy.view().tokens


@pytest.mark.anyio
async def test_what_is_left_out_is_no_loss_and_a_summary_goes_without_pictures(home: Home, monkeypatch: pytest.MonkeyPatch):
    other = PictureFile(name="other.png", content=png(5, 4))
    monkeypatch.setattr(view_of_pictures, "MAX_VIEW_BYTES", len(PHOTO.content) + len(other.content) - 1)
    monkeypatch.setattr(view_of_pictures, "KEPT_VIEW_BYTES", len(other.content))
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    script = [told("A dot.", 900, 0), told("A bar.", 1500, 0), told("Well.", 1600, 1500), told("A dot and a bar.", 1700, 0)]
    long = "It is a long story. " * 130
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings) as agent:
            agent.model.meta = {"capabilities": SEES}
            for text, beside in ((long, [PHOTO]), ("and this?", [other]), ("and?", [])):
                assert isinstance((await agent.ask(text, attached=beside))[-1], TurnDone)
            encoded = [base64.b64encode(each.content).decode() for each in (PHOTO, other)]
            sent = [[each for each in images(request) if each in (*encoded, LEFT_OUT)] for request in agent.model.requests]
            assert sent == [[encoded[0]], [LEFT_OUT, encoded[1]], [LEFT_OUT, encoded[1]]]
            assert [event for event in await agent.stored() if isinstance(event, CacheLost)] == []
            assert (await agent.runtime.compact(agent.session)).is_summed_up
            assert [each for each in images(agent.model.requests[3]) if each in (*encoded, LEFT_OUT)] == [LEFT_OUT] * 2


@pytest.mark.anyio
async def test_a_request_that_is_too_large_goes_once_more_without_earlier_pictures_and_else_ends_in_one_sentence(home: Home):
    other = PictureFile(name="other.png", content=png(5, 4))
    said = "The request is larger than 20 MiB (server.max_body_mib)."
    refused = Say(status=413, error={"message": said, "code": "body_too_large"})
    with anyio.fail_after(90):
        async with agent_of(home, [Say("A dot."), refused, Say("A bar."), Say("Well.")]) as agent:
            agent.model.meta = {"capabilities": SEES}
            for text, beside in (("what is it?", [PHOTO]), ("and this?", [other]), ("and?", [])):
                assert isinstance((await agent.ask(text, attached=beside))[-1], TurnDone)
            encoded = [base64.b64encode(each.content).decode() for each in (PHOTO, other)]
            sent = [[each for each in images(request) if each in (*encoded, LEFT_OUT)] for request in agent.model.requests]
            assert sent == [[encoded[0]], encoded, [LEFT_OUT, encoded[1]], [LEFT_OUT, encoded[1]]]
            assert [event for event in await agent.stored() if isinstance(event, CacheLost)] == []
        async with agent_of(home, [refused], tools=agent.tools) as fresh:
            fresh.model.meta = {"capabilities": SEES}
            (failed,) = [event for event in await fresh.ask("what is it?", attached=[PHOTO]) if isinstance(event, TurnFailed)]
    assert failed.error == (
        "The request has 0.0 MiB with the pictures of the conversation, more than the model's server takes. "
        f"{said} Send fewer or smaller pictures, or raise server.max_body_mib in engine.toml."
    )


def test_a_request_holds_the_newest_pictures_that_a_server_takes_and_words_for_the_others():
    conversation = Conversation()
    for turn in range(4):
        for event in shown(turn, 30_000)[0]:
            conversation.add(event)
    most = sum(map(len, conversation.messages)) + 4 * 40_000 + ROOM_BYTES
    conversation.keep_within(most)
    assert len(digests_in(conversation.messages)) == 4
    conversation.keep_within(most - 1)
    assert digests_in(conversation.messages) == digests_in(conversation.messages[-2:]) != set(), "about half of it is used then"
    conversation.keep_within(1)
    assert len(digests_in(conversation.messages)) == 1, "what is asked about stays, and the server says what it thinks of it"


def test_results_of_one_turn_leave_before_what_the_person_put_beside_it():
    conversation = Conversation()
    (started, *_), (own,) = shown(0, 1000)
    conversation.add(started)
    most = 16 * 2**20
    for number in range(3):
        _, pictures = shown(1 + number, 3 * 2**20, 3 * 2**20)
        call = CallValue(id=f"c{number}", name="look", arguments="{}")
        conversation.add(ModelReplied(turn="0", text="", calls=(call,)))
        conversation.add(
            ToolFinished(turn="0", call=call.id, name="look", ok=True, decision="allow", text="Seen.", pictures=tuple(pictures))
        )
        conversation.keep_within(most)
        in_view = digests_in(conversation.messages)
        assert in_view == {own.digest, *(each.digest for each in pictures)}, "what was not seen yet may fill the room"
    assert conversation.leave_out_returned_pictures()
    assert digests_in(conversation.messages) == {own.digest}
    assert not conversation.leave_out_returned_pictures()


@pytest.mark.anyio
async def test_what_an_engine_says_that_it_takes_is_kept_to_before_it_refuses(home: Home):
    pictures = [PictureFile(name=f"{number}.png", content=png(5, number) + b"\0" * 400_000) for number in (1, 2, 3)]
    with anyio.fail_after(90):
        async with agent_of(home, [Say(f"Picture {number}.") for number in (1, 2, 3)]) as agent:
            agent.model.meta = {"capabilities": SEES}
            agent.model.max_body_mib = 1
            for each in pictures:
                assert isinstance((await agent.ask("and this?", attached=[each]))[-1], TurnDone)
            encoded = [base64.b64encode(each.content).decode() for each in pictures]
            sent = [[each if each == LEFT_OUT else encoded.index(each) for each in images(request) if each in (*encoded, LEFT_OUT)]
                    for request in agent.model.requests]  # fmt: skip
            assert sent == [[0], [LEFT_OUT, 1], [LEFT_OUT, LEFT_OUT, 2]]
            assert max(map(len, agent.model.bodies)) < 2**20
            assert [event for event in await agent.stored() if isinstance(event, CacheLost)] == []


@pytest.mark.anyio
async def test_a_server_outside_that_takes_no_such_request_gets_it_once_more_without_earlier_pictures(home: Home):
    other = PictureFile(name="other.png", content=png(5, 4))
    refused = Say(status=413, error={"message": "Request Entity Too Large"})
    with anyio.fail_after(90):
        async with scripted_model([Say("A dot."), refused, Say("A bar."), refused, refused]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True, "capabilities": ["vision", "tools"]}
            async with agent_of(home, [], settings=settings_of({"cloud": entry})) as agent:
                for text, beside in (("what is it?", [PHOTO]), ("and this?", [other])):
                    assert isinstance((await agent.ask(text, tier="cloud", attached=beside))[-1], TurnDone)
                (failed,) = [event for event in await agent.ask("and?", tier="cloud", attached=[PHOTO]) if isinstance(event, TurnFailed)]
    encoded = [base64.b64encode(each.content).decode() for each in (PHOTO, other)]
    sent = [[each for each in images(request) if each in (*encoded, LEFT_OUT)] for request in cloud.requests]
    assert sent[:3] == [[encoded[0]], encoded, [LEFT_OUT, encoded[1]]]
    assert failed.error.startswith("The request has 0.0 MiB with the pictures of the conversation, more than the node cloud takes. Request")
    assert failed.error.endswith("Send fewer or smaller pictures.")


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 500])
async def test_a_server_outside_that_cannot_read_an_earlier_picture_gets_the_conversation_once_more_without_it(home: Home, status: int):
    failed = Say(status=status, error={"message": "cannot identify image file"})
    with anyio.fail_after(90):
        async with scripted_model([failed, failed, Say("Go on.")]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True, "capabilities": ["vision", "tools"]}
            async with agent_of(home, [], settings=settings_of({"cloud": entry})) as agent:
                assert isinstance((await agent.ask("what is it?", tier="cloud", attached=[PHOTO]))[-1], TurnFailed)
                assert isinstance((await agent.ask("never mind", tier="cloud"))[-1], TurnDone)
    assert LEFT_OUT in images(cloud.requests[2])
