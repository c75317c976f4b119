"""What people say to have a picture changed: instructions in English and Chinese for an edit."""
import words

THING = dict(house=('house', 'houses'), boat=('boat', 'boats'), tree=('tree', 'trees'),
             pine=('pine tree', 'pine trees'), snowman=('snowman', 'snowmen'),
             cactus=('cactus', 'cactuses'), pyramid=('pyramid', 'pyramids'),
             lighthouse=('lighthouse', 'lighthouses'), mountain=('mountain', 'mountains'))
ZH_THING = dict(house=('房子', '一座'), boat=('帆船', '一艘'), tree=('树', '一棵'), pine=('松树', '一棵'),
                snowman=('雪人', '一个'), cactus=('仙人掌', '一棵'), pyramid=('金字塔', '一座'),
                lighthouse=('灯塔', '一座'), mountain=('山', '一座'))
THING['low sun'], ZH_THING['low sun'] = ('sun', 'suns'), ('太阳', '一个')
DISC = dict(sun='sun', moon='moon', crescent='crescent moon')
ZH_DISC = dict(sun='太阳', moon='月亮', crescent='弯月')
PART = dict(house=('roof', 'roofs'), boat=('sail', 'sails'), flowers=('flowers', 'flowers'))
ZH_PART = dict(house='屋顶', boat='船帆', flowers='花')
TIME = dict(day=('make it day', 'turn it into day', 'the same by day'),
            sunset=('make it sunset', 'turn it into a sunset', 'the same in the evening'),
            night=('make it night', 'turn it into night', 'the same under the stars'))
GROUND = dict(meadow=('make it a meadow', 'turn the ground into grass', 'on green grass instead'),
              desert=('make it a desert', 'turn the ground into sand', 'in the desert instead'),
              snow=('make it snowy', 'cover the ground with snow', 'make it winter'))


def the_group(ref, rng):
    """English name of a group of shapes: 'the circle', 'the red stars', 'it', 'the red one'"""
    (shape, colour), many, alone, by_shape, by_colour = ref
    if alone and rng.random() < .12:
        return 'them' if many else 'it'
    noun = rng.choice(words.SHAPE_WORDS[shape])
    if by_colour and not by_shape and rng.random() < .3 or alone and rng.random() < .06:
        noun, by_shape = ('shape' if rng.random() < .7 else 'one'), alone
    if many:
        noun = words.counted(rng, 2, '', shape).split()[-1] if noun not in ('shape', 'one') \
            else noun + 's'
    if by_shape and rng.random() < .6:
        return f'the {noun}'
    return f'the {words.colour_word(colour, rng)} {noun}'


def zh_group(ref, rng):
    (shape, colour), _, _, by_shape, _ = ref
    noun = rng.choice(words.ZH_SHAPE[shape])
    if by_shape and rng.random() < .6:
        return noun
    return f"{words.ZH_COLOUR[colour]}色{rng.choice(('', '的'))}{noun}"


def shape_name(shape, rng):
    return rng.choice(words.SHAPE_WORDS[shape])


# ---------------------------------------------------------------- one function an operation
def recolour(rng, ref, colour):
    c, group = words.colour_word(colour, rng), the_group(ref, rng)
    forms = ['make {g} {c}', 'make {g} {c}', 'change {g} to {c}', 'turn {g} {c}', 'paint {g} {c}',
             'colour {g} {c}', 'color {g} {c}', 'change the color of {g} to {c}']
    (shape, _), many, _, by_shape, _ = ref
    if by_shape and not many:
        forms += [f'the same with {words.article(c)} {shape_name(shape, rng)}']
    return rng.choice(forms).format(g=group, c=c)


def reshape(rng, ref, shape):
    group, many = the_group(ref, rng), ref[1]
    new = words.counted(rng, 2, '', shape).split()[-1] if many \
        else words.article(shape_name(shape, rng))
    return rng.choice(('turn {g} into {s}', 'replace {g} with {s}', 'change {g} to {s}',
                       'make {g} {s}', '{s} instead of {g}', 'change {g} into {s}')).format(
                           g=group, s=new)


def background(rng, colour):
    c = words.colour_word(colour, rng)
    return rng.choice(('make the background {c}', 'make the background {c}', 'on {a} background',
                       'change the background to {c}', 'the same on {a} background',
                       '{c} background', 'put it on {a} background', 'paint the background {c}',
                       'turn the background {c}', 'with {a} background')).format(
                           c=c, a=words.article(c))


def add_shape(rng, item):
    new = words.article(f'{words.colour_word(item[1], rng)} {shape_name(item[0], rng)}')
    return rng.choice(('add {s}', 'add {s}', 'add {s}', 'put {s} in the picture', 'draw {s} too',
                       'the same with {s} added', 'also {s}', 'and {s}')).format(s=new)


def removal(rng, what):
    return rng.choice(('remove {g}', 'remove {g}', 'delete {g}', 'without {g}', 'erase {g}',
                       'take away {g}', 'the same without {g}')).format(g=what)


def remove_shape(rng, ref):
    return removal(rng, the_group(ref, rng))


def time(rng, when):
    own = rng.choice(words.TIME[when])
    return rng.choice((own, own, f'the same {own}', f'the same picture {own}', *TIME[when]))


def ground(rng, which):
    own = rng.choice(words.GROUND[which])
    return rng.choice((own, f'the same {own}', f'put it {own}', *GROUND[which]))


def repaint(rng, part, colour, many):
    c, noun = words.colour_word(colour, rng), PART[part][many]
    with_it = f'{c} {noun}' if many else f'{words.article(c)} {noun}'
    forms = ['make the {n} {c}', 'make the {n} {c}', 'paint the {n} {c}', 'change the {n} to {c}',
             'the same with {w}', 'the same with {w}', 'turn the {n} {c}', 'with {w}']
    if part != 'flowers':
        forms.append(f'give the {THING[part][many]} {{w}}')
    return rng.choice(forms).format(n=noun, c=c, w=with_it)


def addition(rng, new):
    return rng.choice(('add {s}', 'add {s}', 'add {s}', 'put {s} there', 'the same with {s}',
                       'draw {s} too', 'with {s}', 'also {s}')).format(s=new)


def add_thing(rng, kind, colour, again):
    noun = 'mountains' if kind == 'mountain' and rng.random() < .4 else THING[kind][0]
    if kind == 'boat':
        noun = rng.choice(('boat', 'boat', 'sailboat', 'ship'))
    part = words.article(words.colour_word(colour, rng)) if colour else ''
    part = f' with {part} {PART[kind][0]}' if colour else ''
    if again and noun != 'mountains' and rng.random() < .5:
        return addition(rng, f'another {noun}{part}')
    return addition(rng, (noun if noun == 'mountains' else words.article(noun)) + part)


def remove_thing(rng, kind, many):
    noun = THING[kind][many]
    if kind == 'mountain' and rng.random() < .5:
        noun = 'mountains'
    if kind == 'boat':
        noun = rng.choice(('boat', 'ship')) + 's' * many
    if rng.random() < .1:
        return f'no {noun}'
    return removal(rng, f'all {noun}' if many and rng.random() < .2 else f'the {noun}')


def swap(rng, kind, new, many):
    old, fresh = THING[kind][many], THING[new][many]
    fresh = fresh if many else words.article(fresh)
    return rng.choice(('replace the {o} with {f}', 'turn the {o} into {f}', 'change the {o} to {f}',
                       '{f} instead of the {o}')).format(o=old, f=fresh)


def word(rng, text):
    quote = rng.choice(('"%s"', '"%s"', '"%s"', "'%s'", '“%s”')) % text
    return rng.choice(('change the word to {q}', 'make the sign say {q}', 'the sign says {q}',
                       'write {q} on the sign', 'change the text to {q}',
                       'the same with a sign that says {q}')).format(q=quote)


ENGLISH = {
    'recolour': recolour, 'reshape': reshape, 'background': background, 'add shape': add_shape,
    'remove shape': remove_shape, 'time': time, 'ground': ground, 'repaint': repaint,
    'add thing': add_thing, 'remove thing': remove_thing, 'swap': swap, 'word': word,
    'add clouds': lambda rng: addition(rng, rng.choice(('clouds', 'white clouds', 'some clouds'))),
    'remove clouds': lambda rng: rng.choice((removal(rng, 'the clouds'), 'a clear sky',
                                             'no clouds')),
    'add flowers': lambda rng, c: addition(rng, f'{words.colour_word(c, rng)} flowers'),
    'remove flowers': lambda rng: rng.choice((removal(rng, 'the flowers'), 'no flowers')),
    'add disc': lambda rng, d: addition(rng, dict(sun='the sun', moon=rng.choice((
        'a full moon', 'a moon', 'the moon')), crescent='a crescent moon')[d]),
    'remove disc': lambda rng, d: removal(rng, 'the ' + rng.choice(
        (DISC[d], 'moon' if d != 'sun' else 'sun'))),
}


# ---------------------------------------------------------------- Chinese
def zh_change(rng, what, new):
    return rng.choice(('把{w}变成{n}', '把{w}改成{n}', '把{w}换成{n}', '让{w}变成{n}')).format(w=what, n=new)


def zh_add(rng, new):
    return rng.choice(('加{n}', '添加{n}', '再加{n}', '加上{n}', '再画{n}')).format(n=new)


def zh_remove(rng, what):
    return rng.choice(('去掉{w}', '删除{w}', '移除{w}', '不要{w}', '把{w}去掉')).format(w=what)


def zh_recolour(rng, ref, colour):
    c = words.ZH_COLOUR[colour] + '色'
    if rng.random() < .12:
        return f'同样的画，{zh_group(ref, rng)}是{c}的'
    return zh_change(rng, zh_group(ref, rng), c)


def zh_add_thing(rng, kind, colour, again):
    noun, one = ZH_THING[kind]
    if kind == 'house' and colour:
        return zh_add(rng, f'{one}{words.ZH_COLOUR[colour]}色屋顶的{noun}')
    return zh_add(rng, one + (f'{words.ZH_COLOUR[colour]}色的' if colour else '') + noun)


def zh_time(rng, when):
    own = rng.choice(words.ZH_TIME[when])
    return rng.choice((own, f'变成{own}', f'改成{own}', f'同样的画，{own}'))


def zh_ground(rng, which):
    own = rng.choice(words.ZH_GROUND[which])
    return rng.choice((f'在{own}上', f'把地面变成{own}', f'把地面换成{own}', f'改成{own}'))


def zh_word(rng, text):
    quote = rng.choice(('"%s"', '“%s”', '「%s」')) % text
    return rng.choice(('把字改成{q}', '木牌上写{q}', '把文字换成{q}', '牌子上写着{q}')).format(q=quote)


CHINESE = {
    'recolour': zh_recolour, 'time': zh_time, 'ground': zh_ground, 'word': zh_word,
    'reshape': lambda rng, ref, s: zh_change(rng, zh_group(ref, rng),
                                             rng.choice(words.ZH_SHAPE[s])),
    'background': lambda rng, c: rng.choice((zh_change(rng, '背景', words.ZH_COLOUR[c] + '色'),
                                             f'{words.ZH_COLOUR[c]}色背景',
                                             f'换成{words.ZH_COLOUR[c]}色背景')),
    'add shape': lambda rng, i: zh_add(rng, '一个' + words.ZH_COLOUR[i[1]] + '色'
                                       + rng.choice(('', '的')) + rng.choice(words.ZH_SHAPE[i[0]])),
    'remove shape': lambda rng, ref: zh_remove(rng, zh_group(ref, rng)),
    'repaint': lambda rng, part, c, _: zh_change(rng, ZH_PART[part], words.ZH_COLOUR[c] + '色'),
    'add thing': zh_add_thing,
    'remove thing': lambda rng, kind, _: zh_remove(rng, ZH_THING[kind][0]),
    'swap': lambda rng, kind, new, _: zh_change(rng, ZH_THING[kind][0], ZH_THING[new][0]),
    'add clouds': lambda rng: zh_add(rng, rng.choice(('白云', '云', '几朵云'))),
    'remove clouds': lambda rng: zh_remove(rng, rng.choice(('白云', '云'))),
    'add flowers': lambda rng, c: zh_add(rng, words.ZH_COLOUR[c] + '色的花'),
    'remove flowers': lambda rng: zh_remove(rng, '花'),
    'add disc': lambda rng, d: zh_add(rng, rng.choice(('满月', '月亮')) if d == 'moon' else ZH_DISC[d]),
    'remove disc': lambda rng, d: zh_remove(rng, rng.choice(('月亮', ZH_DISC[d])) if d != 'sun'
                                            else '太阳'),
}


def instruction(done, rng, chinese=None):
    """One way to ask for what was done: `done` as edits.py gives it"""
    chinese = rng.random() < .3 if chinese is None else chinese
    if chinese:
        return CHINESE[done[0]](rng, *done[1:])
    return words.dress(ENGLISH[done[0]](rng, *done[1:]), rng)
