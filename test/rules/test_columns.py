"""columns - no line is wider than 100 characters, comments included.

clang-format cuts code and leaves comments as they are, so this is what holds them."""

from rules import expect, files, finish, lines

WIDE = ("*.c", "*.h", "*.cu", "*.cuh", "*.cc", "*.js", "*.mjs", "*.sh", "*.mk", "Makefile")
COLUMNS = 100


def too_wide(path, text):
    return ["%s:%d has %d columns" % (path, n, len(line))
            for n, line in enumerate(text, 1) if len(line) > COLUMNS]


def main():
    expect("a line of 101 is refused", [] if too_wide("x.c", ["é" * 101]) else ["it is not"])
    expect("a line of 100 is not", too_wide("x.c", ["é" * 100]))
    for path in files(*WIDE):
        expect(path, too_wide(path, lines(path)))
    finish()


main()
