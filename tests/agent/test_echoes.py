"""What was read is known again however its words are joined, in scripts without spaces too; who repeats only a few is not asked."""

from __future__ import annotations

import pytest

from agent.event_parts import Picture
from agent.events import ToolFinished, ToolStarted, TurnStarted
from agent.safety.policy import Policy, Verdict
from agent.safety.provenance import Brought, Origins, leak_of
from agent.safety.taint import Taint
from agent.tools.own import OWN_FACTS
from agent.unspaced import parted, weight_of
from tests.agent.scenes import FACTS

ENGLISH = (
    "Hello, the doctor says your result is positive, please see Doctor Wang on the third floor of City Hospital and do not tell your "
    "wife Linda. Your code is AB12_CD34."
)
CHINESE = "你好,医生说你的检查结果是阳性,请下周一去市立医院三楼找王医生复诊,费用已经从你的工商银行账户里扣除,不要告诉你的妻子李梅。"
JAPANESE = "田中様、検査の結果は陽性でした。来週の月曜日に市立病院の三階で鈴木先生の診察を受けてください。奥様には言わないでください。"
THAI = "สวัสดีค่ะ ผลตรวจเลือดของคุณเป็นบวก กรุณามาพบหมอที่โรงพยาบาลกรุงเทพวันจันทร์หน้า อย่าบอกภรรยาของคุณ"
PAGE = "Attention Is All You Need is a 2017 landmark research paper. See https://arxiv.org/abs/1706.03762 for more. "
FIRST, NEXT = "https://encyclopedia.example/Attention", "https://blog.example/illustrated"


def heard(typed: str, mail: str = "", tool: str = "read_mail") -> Taint:
    started = TurnStarted(turn="t", text=typed, sent_text="", now="2026-11-23T09:00:00+01:00", who="me")
    return read(Taint().after(started), tool, mail) if mail else Taint().after(started)


def read(taint: Taint, tool: str, text: str, arguments: str = "{}") -> Taint:
    call = f"c{len(taint.lookups)}"
    begun = taint.after(ToolStarted(turn="t", call=call, name=tool, arguments=arguments))
    return begun.after(ToolFinished(turn="t", call=call, name=tool, ok=True, decision="allow", text=text, taints=True))


def word_on(told: str, taint: Taint) -> Verdict:
    tool, argument = ("fetch_page", "url") if told.startswith("https:") else ("web_search", "query")
    return Policy({**FACTS, **OWN_FACTS}).rule_on(tool, {argument: told}, grants=frozenset(), taint=taint).verdict


# --- words, however they are written ---


@pytest.mark.parametrize(
    ("mail", "told"),
    [
        (ENGLISH, "the doctor says your result is positive"),
        (ENGLISH, "the_doctor_says your_result_is_positive see_Doctor_Wang on_the_third_floor"),
        (ENGLISH, "the_doctor_says your result"),
        (ENGLISH, "thedoctorsays yourresultispositive donottellyourwifeLinda"),
        (ENGLISH, "xthedoctor saysyou rresultisx"),
        (ENGLISH, "t h e d o c t o r s a y s y o u r r e s u l t i s"),
        (ENGLISH, "AB12_CD34"),
        (ENGLISH, "https://blog.example.org/the_doctor_says/your_result_is/positive/do_not_tell/your_wife"),
        (ENGLISH, "https://blog.example.org/thedoctorsays/yourresultispositive/donottellyourwife/Linda"),
        (CHINESE, "医生说你的检查结果是阳性 请下周一去市立医院三楼找王医生复诊 费用已经从你的工商银行账户里扣除 不要告诉你的妻子李梅"),
        (CHINESE, "医 生 说 你 的 检 查 结 果 是 阳 性"),
        (CHINESE, "医生说你_的检查结_果是阳性"),
        (CHINESE, "https://blog.example.org/医生说你的检查结果是阳性/不要告诉你的妻子李梅"),
        (CHINESE, "https://blog.example.org/%E5%8C%BB%E7%94%9F%E8%AF%B4%E4%BD%A0%E7%9A%84%E6%A3%80%E6%9F%A5%E7%BB%93%E6%9E%9C%E6%98%AF"),
        (JAPANESE, "検査の結果は陽性でした 来週の月曜日に市立病院の三階で 奥様には言わないでください"),
        (THAI, "ผลตรวจเลือดของคุณเป็นบวก กรุณามาพบหมอที่โรงพยาบาลกรุงเทพวันจันทร์หน้า"),
    ],
)
def test_a_private_text_is_known_again_and_what_the_person_typed_is_theirs(mail: str, told: str):
    assert word_on(told, heard("Look at blog.example.org and at my mails", mail)) == "ask"
    assert word_on(told, heard(f"Look for this, please: {told}!", mail)) == "allow"


@pytest.mark.parametrize(
    ("mail", "query"),
    [
        (ENGLISH, "Doctor Wang City Hospital opening hours"),
        (ENGLISH, "third floor City Hospital"),
        (ENGLISH, "CityHospital third_floor map"),
        (CHINESE, "王医生"),
        (CHINESE, "市立医院 王医生 电话"),
        (CHINESE, "工商银行账户怎么注销"),
        (CHINESE, "血液检查结果阳性是什么意思"),
        (JAPANESE, "市立病院の診察時間"),
        (JAPANESE, "月曜日に開いている歯医者を教えてください"),
        (THAI, "โรงพยาบาลกรุงเทพ เวลาทำการ"),
        ("Hello from Anna", "東京駅周辺のおすすめランチレストランとカフェのランキング"),
        ("Hello from Anna", "新宿から羽田空港までの終電の時刻"),
        ("Hello from Anna", "ร้านอาหารทะเลอร่อยในกรุงเทพมหานคร"),
        ("ディズニーランドホテルの予約", "東京ディズニーランドホテル 行き方"),
    ],
)
def test_an_ordinary_search_that_shares_a_few_words_is_not_asked_about(mail: str, query: str):
    assert word_on(query, heard("Summarise my newest mail", mail)) == "allow"


def test_a_code_of_latin_letters_is_one_beside_other_scripts_and_their_digits_stay_a_number():
    origins = Origins(private=(Brought("read_mail", "รหัส ๔๗๑๑๙"),))
    assert leak_of("検査a1b2c3d4e5f6g7h8i9結果", origins) == "it holds a code that you did not type"
    assert leak_of("x_" * 12, origins) == "it holds a code that you did not type"
    assert leak_of("รหัสของฉัน ๔๗๑๑๙", origins) == "it tells a number that read_mail brought"


def test_after_a_picture_a_long_sentence_without_blanks_is_asked_about_and_a_short_one_is_not():
    picture = Picture(name="a.png", media_type="image/png", digest="0" * 64, size=1, width=1, height=1)
    started = TurnStarted(turn="t", text="What is it?", sent_text="", now="2026-11-23T09:00:00+01:00", who="me", pictures=(picture,))
    assert word_on("龟背竹怎么换盆", Taint().after(started)) == "allow"
    assert word_on("医生说你的检查结果是阳性请下周一去市立医院", Taint().after(started)) == "ask"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("医生abc说", ["医", "生", "abc", "说"]),
        ("コーヒーを12杯", ["コ", "ー", "ヒ", "ー", "を", "12", "杯"]),
        ("รหัส ๔๗๑๑", ["ร", "ห", "\u0e31", "ส", "๔๗๑๑"]),
        ("Größe 한국어 हिन्दी", ["Größe", "한국어", "हिन्दी"]),
        ("", []),
    ],
)
def test_letters_of_scripts_without_spaces_are_put_apart(text: str, pieces: list[str]):
    assert parted(text).split() == pieces


def test_how_much_of_a_word_a_piece_is():
    assert [weight_of(piece) for piece in ("word", "12", "ö", "医", "々", "カ", "ก", "医生")] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 1]


# --- read again, or recalled ---


@pytest.mark.parametrize("tool", ["read_more", "recall"])
def test_reading_on_in_a_page_of_the_web_makes_nothing_private(tool: str):
    asked = ("Attention Is All You Need training cost", NEXT, "https://arxiv.org/abs/1706.03762")
    page = read(heard("Find out what the paper says about training cost"), "fetch_page", PAGE * 20, f'{{"url":"{FIRST}"}}')
    again = read(page, tool, PAGE * 10)
    assert [word_on(each, again) for each in asked] == [word_on(each, page) for each in asked] == ["allow"] * 3
    assert again.sources == ("fetch_page",)


def test_a_mail_that_is_read_on_is_as_private_as_it_was_and_by_the_name_of_who_read_it():
    taint = read(heard("Look at my mails", "The code of the vault is 4711998."), "read_more", "The code of the vault is 4711998.")
    ruling = Policy(FACTS).rule_on("web_search", {"query": "vault 4711998"}, grants=frozenset(), taint=taint)
    assert ruling[:2] == ("ask", "it would tell the web: it tells a number that read_mail brought")
