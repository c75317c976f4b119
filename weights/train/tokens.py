"""The tokenizer: a byte-level BPE of 1024 text tokens behind the code tokens.

Written as the `processor/` folder of the released layout. Codes are part of the vocabulary, so
that code = id. Capitals and digits are kept out of the merges: a quoted word stays one token a
letter, which is how the prior can spell it.

usage: tokens.py       -> RUN/processor
"""
import json
import random
import re

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import words
import world
from common import IMAGE_END, IMAGE_START, RUN, TEXT_VOCAB, VISION_VOCAB

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LEAST_SIDE, MOST_SIDE = 256, 512   # pixels of a source picture, as those that are trained
SPECIAL = ('<|endoftext|>', '[MASK]', '[gMASK]', '[sMASK]', '<sop>', '<eop>', '<|system|>',
           '<|user|>', '<|assistant|>', '<|observation|>', '<|video|>', '<|image|>')


def corpus(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        spec = world.sample_spec(rng, 8)
        text = words.foreign(spec, rng) if rng.random() < .1 else words.prompt(spec, rng)
        text = text.replace(spec.get('word') or '\0', '')
        yield re.sub('[A-Z0-9]', '', text)
    yield from world.LETTERS


def train_bpe():
    bpe = Tokenizer(models.BPE(byte_fallback=False))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), 'isolated', invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)])
    bpe.train_from_iterator(corpus(60000, 11), trainers.BpeTrainer(
        vocab_size=TEXT_VOCAB - len(SPECIAL), min_frequency=20, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return json.loads(bpe.to_str())


def with_codes(model):
    """Renumbers: code tokens first, then the text, then the special tokens."""
    codes = [f'<|dit_token_{k}|>' for k in range(VISION_VOCAB)]
    text = sorted(model['model']['vocab'], key=model['model']['vocab'].get)
    first_special = VISION_VOCAB + TEXT_VOCAB - len(SPECIAL)
    assert VISION_VOCAB + len(text) <= first_special
    vocab = {t: k for k, t in enumerate(codes + text)}
    vocab.update({t: first_special + k for k, t in enumerate(SPECIAL)})
    model['added_tokens'] = [
        dict(id=vocab[t], content=t, single_word=False, lstrip=False, rstrip=False,
             normalized=False, special=True) for t in codes + list(SPECIAL)]
    model['model'].update(vocab=vocab, ignore_merges=True)
    model['decoder'] = dict(type='ByteLevel', add_prefix_space=False, trim_offsets=True,
                            use_regex=False)
    return model


def write_processor(folder, model):
    start, end = (f'<|dit_token_{k}|>' for k in (IMAGE_START, IMAGE_END))
    names = dict(image_token='<|image|>', grid_bos_token='<sop>', grid_eos_token='<eop>')
    folder.mkdir(parents=True, exist_ok=True)
    dump = lambda name, data: (folder / name).write_text(
        json.dumps(data, ensure_ascii=False, indent=1 if name != 'tokenizer.json' else None))
    dump('tokenizer.json', model)
    dump('tokenizer_config.json', dict(
        tokenizer_class='PreTrainedTokenizerFast', processor_class='GlmImageProcessor',
        padding_side='left', model_max_length=4096, clean_up_tokenization_spaces=False,
        bos_token=start, eos_token=end, pad_token=end, extra_special_tokens=names, **names))
    dump('preprocessor_config.json', dict(
        image_processor_type='GlmImageImageProcessor', processor_class='GlmImageProcessor',
        do_resize=True, do_rescale=True, do_normalize=True, do_convert_rgb=True, resample=3,
        rescale_factor=1 / 255, image_mean=[.5] * 3, image_std=[.5] * 3, patch_size=16,
        temporal_patch_size=1, merge_size=1, min_pixels=LEAST_SIDE ** 2, max_pixels=MOST_SIDE ** 2,
        size=dict(shortest_edge=LEAST_SIDE ** 2, longest_edge=MOST_SIDE ** 2)))
    (folder / 'chat_template.jinja').write_text(
        '{%- for m in messages -%}{%- if m.content is string -%}{{ m.content }}{%- else -%}'
        "{%- for c in m.content -%}{%- if c.type == 'image' -%}" + start + '<|image|>' + end
        + "{%- elif c.type == 'text' -%}{{ c.text }}{%- endif -%}{%- endfor -%}{%- endif -%}"
        '{%- endfor -%}')


class PromptTokens:
    """Prompt ids as the processor makes them: text, both grid sizes, start of image."""

    def __init__(self):
        self.bpe = Tokenizer.from_file(str(RUN / 'processor' / 'tokenizer.json'))

    def __call__(self, text, rows, cols):
        h, w = world.preview_size(rows, cols)
        tail = f'<sop>{rows} {cols}<eop><sop>{h} {w}<eop><|dit_token_{IMAGE_START}|>'
        return self.bpe.encode(text + tail).ids

    def edit(self, source, text, rows, cols):
        """With a source's codes [h, w]: these between marks, text, the grid's size, start"""
        tail = f'<sop>{rows} {cols}<eop><|dit_token_{IMAGE_START}|>'
        return [IMAGE_START, *source.ravel().tolist(), IMAGE_END, *self.bpe.encode(text + tail).ids]


if __name__ == '__main__':
    write_processor(RUN / 'processor', with_codes(train_bpe()))
    encode = PromptTokens()
    rng = random.Random(2)
    lengths = [len(encode(words.prompt(world.sample_spec(rng, 8), rng), 8, 8)) for _ in range(2000)]
    print('prompt tokens: mean', sum(lengths) / 2000, 'longest', max(lengths))
    print(encode.bpe.encode('a sign that says "HELLO" 2026 on a grey meadow').tokens)
