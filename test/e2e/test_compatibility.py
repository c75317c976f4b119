"""test_compatibility - proto/COMPATIBILITY.md says what the tests show. --write writes it anew."""

import clients  # first: it goes on in the environment that has the libraries

import os
import sys

sys.path.insert(0, os.path.join(clients.ROOT, "test", "clients"))
import compatibility

from harness import run


def every_test_is_run():
    """catches: a promise whose test is gone"""
    assert compatibility.missing([("", None, "", "openai", ["a_test_that_is_not"])])
    assert compatibility.missing(compatibility.ROWS) == []


def the_table():
    """catches: a table that says another version, or something else"""
    with open(compatibility.PATH, encoding="utf-8") as f:
        assert f.read() == compatibility.table(), "run test/e2e/test_compatibility.py --write"


if sys.argv[1:] == ["--write"]:
    with open(compatibility.PATH, "w", encoding="utf-8") as f:
        f.write(compatibility.table())
    sys.exit(0)
run([every_test_is_run, the_table])
