"""A stranger's bytes as text, by what they are said to be: a label means here what it means to browsers (the WHATWG Encoding Standard).

Pure. Programs say `iso-8859-1` or `gb2312` and write the larger set that grew out of it; whoever takes them at their word loses the
euro sign, the quotation marks and many names. Some labels the library does not know at all.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from functools import lru_cache

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LARGER: Mapping[str, str] = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "euc_kr": "cp949", "shift_jis": "cp932", "euc_jp": "euc_jis_2004",
}  # fmt: skip
"""What is written under the library's name of a set."""
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("gb_2312", "gb_2312-80", "csgb2312", "cn-gb"), "gb18030"),
    **dict.fromkeys(("ks_c_5601-1989", "ksc_5601", "iso-ir-149", "cseuckr", "csksc56011987"), "cp949"),
    **dict.fromkeys(("mac", "csmacintosh"), "mac-roman"),
    **dict.fromkeys(("koi", "koi8"), "koi8-r"),
    **dict.fromkeys(("visual", "logical"), "iso8859-8"),
    "cn-big5": "big5hkscs",
    "cseucpkdfmtjapanese": "euc_jis_2004",
    "csisolatin9": "iso8859-15",
    "mac-ukrainian": "mac-cyrillic",
    "sun_eu_greek": "iso8859-7",
    "unicode-1-1-utf-8": "utf-8",
    "windows-31j": "cp932",
}
"""Labels that the library does not know, without an `x-` before them."""
_FORMS = (
    (re.compile(r"(?:cs)?(?:iso[-_]?)?8859[-_]?(\d{1,2})(?:[-_:]?[ei]|[-_:].*)?"), r"iso8859-\1"),
    (re.compile(r"(?:windows|cp|ibm|ms|dos)[-_]?(\d{3,5})"), r"cp\1"),
    (re.compile(r"latin[-_](\d{1,2})"), r"latin\1"),
)
"""The many ways of writing one number."""
_NO_LETTERS = frozenset({"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_MAX_LABEL_CHARS = 60


def text_of(content: bytes, label: str = "") -> str:
    """The text by its mark of byte order, else by its label, else what its letters look like; what is no letter is shown as a lost one.

    Args:
        content: of any kind; it may be the beginning of a longer text, cut anywhere.
        label: what it is said to be; empty where nobody says it.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    codec = codec_of(label)
    if codec is None:
        return _guessed(content)
    try:
        return content.decode(codec, "replace")
    except ValueError:  # one that cannot replace what it does not know
        return _guessed(content)


def codec_of(label: str) -> str | None:
    """The library's name of what a label means; None where it says nothing: it is unknown, or ASCII, in which no letter can go wrong."""
    return _codec_of(label.strip("\"' \t\r\n").lower()) if len(label) <= _MAX_LABEL_CHARS else None


@lru_cache(maxsize=256)
def _codec_of(label: str) -> str | None:
    bare = re.sub(r"\A(?:x-)+", "", label)
    for name in dict.fromkeys((label, bare, _NAMES.get(bare, ""), *(form.sub(to, bare) for form, to in _FORMS if form.fullmatch(bare)))):
        try:
            codec = codecs.lookup(name).name
            "".encode(codec)  # some turn bytes into bytes
        except (LookupError, ValueError):
            continue
        if codec not in _NO_LETTERS:
            return None if codec == "ascii" else _LARGER.get(codec, codec)
    return None


def _guessed(content: bytes) -> str:
    """UTF-8, but where more letters beyond ASCII are none in it than are: then it is what most of those wrote who did not say."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return text if wrong <= right else content.decode("cp1252", "replace")
