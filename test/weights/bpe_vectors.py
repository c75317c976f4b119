#!/usr/bin/env python3
"""Write bpe_vectors.json: what the `tokenizers` package makes of seeded random strings.

    pip install tokenizers==0.22.2 && python test/weights/bpe_vectors.py

test_bpe.c draws the same strings from the same seed and compares a 16-bit hash of every string's ids. The
tokenizers beside this file differ in what they exercise: strings.json has merges as strings and ignore_merges,
template.json has merges as pairs and a template prefix, flags.json has added tokens with every flag, a Split that
removes, a prefix space, the byte level's own pattern, and bytes that the vocabulary lacks.
"""
import json
import os

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ["strings.json", "template.json", "flags.json"]
SEED, COUNT = 20240917, 10000
MASK = (1 << 64) - 1

# thirteen scripts, marks, punctuation, spaces, symbols, emoji, variation selectors, controls, new and unassigned
RANGES = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F), (0x590, 0x5F4), (0x600, 0x6FF), (0x900, 0x97F),
    (0xE00, 0xE5B), (0x1100, 0x11FF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1680, 0x1680),
    (0x2000, 0x206F), (0x20A0, 0x20BF), (0x3000, 0x303F), (0x300, 0x36F), (0x1F300, 0x1F64F), (0x1F900, 0x1F9FF),
    (0x0, 0x1F), (0x7F, 0xA0), (0x200B, 0x200F), (0xFE00, 0xFE0F), (0x1D400, 0x1D7FF), (0xE0100, 0xE01EF),
    (0x2160, 0x2188), (0x660, 0x669), (0x31350, 0x323AF), (0x13430, 0x143FA), (0x1E030, 0x1E06D), (0xE000, 0xF8FF)]
WORDS = [
    "'s", "'T", "'RE", "'ll", "it's", " umbrella", "poster", "灯塔", "umbrella", " poster", "\r\n", "\n\n", "   ", " \n ",
    "\t", "1234567", "12", " 99", "ab", "the cat", "OPEN DAILY", "“每天开放”", "Привет", "日本語", "오늘의", "😀",
    "👩‍👩‍👧‍👦", "é", "e\u0301", "\u200d", "\ufeff", "\u180e", "\x85", "\x1c", "\u2028", "…", "'ſ", "K", "ß", "ﬁ",
    "<sop>", "<eop>", "<|image|>", "<|dit_token_5|>", "<|dit_token_12|>", "<|dit_token_1", "<|dit_token_", "<|", "<",
    "[gMASK]", "[MASK]", "<|endoftext|>", "<|user|>", "|>", " <sop> ", "<SOP>", "cat", "catalog", "a cat", "dog",
    " dog ", "<l>", "  <l>", "<r> ", "<lr>", " <lr> <lr>\n", "日本 ", "x", " x  ", "_cat", "cat1", "cat\u0301", "#", "a#b"]


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.s = seed

    def below(self, n):
        self.s = (self.s + 0x9E3779B97F4A7C15) & MASK
        z = self.s
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return (z ^ z >> 31) % n


def scalar(c):
    return chr(c - 0x1000 if 0xD800 <= c < 0xE000 else c)


def text(i):
    r, out = Random(SEED + i), ""
    for _ in range(r.below(13)):
        kind = r.below(10)
        if kind < 5:
            out += WORDS[r.below(len(WORDS))]
        elif kind < 9:
            lo, hi = RANGES[r.below(len(RANGES))]
            for _ in range(1 + r.below(6)):
                out += scalar(lo + r.below(hi - lo + 1))
        else:
            out += scalar(r.below(0x110000))
    return out


def digest(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        h = (h ^ i) * 0x100000001B3 & MASK
    return (h ^ h >> 16 ^ h >> 32 ^ h >> 48) & 0xFFFF


def main():
    texts = [text(i) for i in range(COUNT)]
    ids = {}
    for name in FILES:
        t = Tokenizer.from_file(os.path.join(HERE, name))
        ids[name] = "".join("%04x" % digest(t.encode(s).ids) for s in texts)
    with open(os.path.join(HERE, "bpe_vectors.json"), "w", encoding="utf-8") as f:
        json.dump({"seed": SEED, "count": COUNT, "words": WORDS, "ranges": RANGES, "ids": ids}, f, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()
