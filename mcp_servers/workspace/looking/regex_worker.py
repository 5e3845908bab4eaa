"""Matches lines against one regular expression, in a process of its own: an expression that never ends can be ended with it.

Run by path with `python -I -S`; standard library only. The first line on standard input is `{"pattern", "ignore_case"}`, answered with `{}`
or `{"problem"}`; each further one is a list of lines, answered with the list of those that match: their numbers (from 1) and where
in the line it begins.
"""

import json
import re
import sys


def main() -> None:
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        sought = re.compile(asked["pattern"], re.IGNORECASE if asked["ignore_case"] else 0)
    except (re.error, RecursionError, OverflowError) as error:
        _answer({"problem": str(error)})
        return
    _answer({})
    for line in sys.stdin.buffer:
        matches = enumerate(map(sought.search, json.loads(line)), 1)
        _answer([(number, match.start()) for number, match in matches if match])


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
