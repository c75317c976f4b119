"""What people call the pictures of the world: prompts in English and Chinese for a spec.

`prompt` may leave out what is not essential (the time of day, the ground under a house, the colour
of a background), as people do: then the model learns to choose. `foreign` makes prompts that name
things the world does not have, for tidy pictures instead of noise.
"""
import world

NUMBER = {1: 'one', 2: 'two', 3: 'three', 4: 'four'}
ZH_NUMBER = {1: '一', 2: '两', 3: '三', 4: '四'}
ZH_COLOUR = dict(red='红', orange='橙', yellow='黄', green='绿', blue='蓝', purple='紫', pink='粉',
                 white='白', black='黑', brown='棕', gray='灰')
SHAPE_WORDS = dict(circle=('circle', 'circle', 'circle', 'disc', 'ball', 'dot'),
                   square=('square', 'square', 'square', 'box'), triangle=('triangle',),
                   star=('star',), heart=('heart',),
                   diamond=('diamond', 'diamond', 'rhombus'))
ZH_SHAPE = dict(circle=('圆形', '圆', '圆圈'), square=('正方形', '方块', '方形'),
                triangle=('三角形',), star=('星星', '五角星', '星形'),
                heart=('爱心', '心形', '心'), diamond=('菱形',))
RELATION = dict(left=('to the left of', 'left of', 'on the left of'),
                right=('to the right of', 'right of', 'on the right of'),
                above=('above', 'on top of', 'over'), below=('below', 'under', 'beneath'))
ZH_RELATION = dict(left='左边', right='右边', above='上面', below='下面')

TIME = dict(day=('on a sunny day', 'by day', 'under a blue sky', 'in the daytime',
                 'during the day'),
            sunset=('at sunset', 'at sunset', 'at dusk', 'in the evening'),
            night=('at night', 'at night', 'under a night sky', 'under the stars',
                   'under a starry sky'))
GROUND = dict(meadow=('on a green meadow', 'in a meadow', 'on the grass', 'in a green field',
                      'on a meadow'),
              sea=('on the sea', 'on the blue sea', 'on the ocean', 'at sea', 'on the water'),
              desert=('in the desert', 'in a sandy desert', 'on the sand', 'in a desert'),
              snow=('in the snow', 'in a snowy field', 'on the snow', 'in winter'))
GROUND_ALONE = dict(meadow=('a green meadow', 'a meadow', 'a green field', 'grass'),
                    sea=('the sea', 'the blue sea', 'the ocean', 'a calm sea'),
                    desert=('a desert', 'the desert', 'a sandy desert'),
                    snow=('a snowy field', 'snow', 'a winter landscape', 'a snowy landscape'))
ZH_TIME = dict(day=('白天', '晴朗的白天', '晴天'), sunset=('日落时', '黄昏', '傍晚', '日落'),
               night=('夜晚', '晚上', '夜里', '星空下'))
ZH_GROUND = dict(meadow=('草地', '绿色的草地', '草原'), sea=('大海', '海面', '海'),
                 desert=('沙漠', '沙漠'), snow=('雪地', '雪', '雪原'))
NOUN = dict(tree=('tree', 'trees'), pine=('pine tree', 'pine trees'), cactus=('cactus', 'cactuses'),
            snowman=('snowman', 'snowmen'), lighthouse=('lighthouse', 'lighthouses'),
            pyramid=('pyramid', 'pyramids'))
ZH_NOUN = dict(tree='棵树', pine='棵松树', cactus='棵仙人掌', snowman='个雪人', lighthouse='座灯塔',
               pyramid='座金字塔')
HOME = dict(house='meadow', tree='meadow', pine='snow', snowman='snow', cactus='desert',
            pyramid='desert', boat='sea', lighthouse='sea')      # ground that goes without saying


def article(phrase):
    return ('an ' if phrase[0] in 'aeiou' else 'a ') + phrase


def join(phrases):
    return phrases[0] if len(phrases) == 1 else ', '.join(phrases[:-1]) + ' and ' + phrases[-1]


def colour_word(colour, rng):
    return 'grey' if colour == 'gray' and rng.random() < .4 else colour


# ---------------------------------------------------------------- shapes
def counted(rng, n, colour, shape, size=''):
    word = rng.choice(SHAPE_WORDS[shape])
    adjective = rng.choice(dict(small=('small', 'small', 'little', 'tiny'),
                                big=('big', 'big', 'large', 'huge')).get(size, ('',)))
    body = ' '.join(x for x in (adjective, colour and colour_word(colour, rng), word) if x)
    if n == 1:
        return article(body)
    plural = 'boxes' if word == 'box' else word + 's' if word != 'rhombus' else 'rhombuses'
    number = str(n) if rng.random() < .15 else NUMBER[n]
    return f"{number} {body[:len(body) - len(word)]}{plural}"


def groups_of(items):
    """[(item, count)] in order of mention"""
    return [(a, items.count(a)) for a in dict.fromkeys(items)]


def shapes_english(spec, rng):
    groups, name_colour = groups_of(spec['items']), rng.random() > .03
    say = [counted(rng, n, colour if name_colour else '', shape, spec['size'])
           for (shape, colour), n in groups]
    relation = spec.get('relation')
    if relation and rng.random() < .15:
        first, second = dict(left=('on the left', 'on the right'),
                             right=('on the right', 'on the left'),
                             above=('at the top', 'at the bottom'),
                             below=('at the bottom', 'at the top'))[relation]
        text = f'{say[0]} {first} and {say[1]} {second}'
    elif relation:
        text = f'{say[0]} {rng.choice(RELATION[relation])} {say[1]}'
    else:
        text = ' and '.join(say)
    if rng.random() < .04:
        return text
    back = colour_word(spec['back'], rng)
    return rng.choice((
        '{m} on {a} background', '{m} on {a} background', '{m} on {a} background',
        '{m}, {b} background', 'a picture of {m} on {a} background', '{m} on {b}',
        '{m} against {a} background', '{m} in front of {a} background', '{b} background with {m}',
        'on {a} background, {m}', 'a drawing of {m} on {a} background', '{a} background with {m}',
    )).format(m=text, a=article(back), b=back)


def shapes_chinese(spec, rng):
    size = rng.choice(dict(small=('小', '小小的'), big=('大', '巨大的')).get(spec['size'], ('',)))
    say = [f"{ZH_NUMBER[n]}个{size}{ZH_COLOUR[c]}色{rng.choice(('', '的'))}{rng.choice(ZH_SHAPE[s])}"
           for (s, c), n in groups_of(spec['items'])]
    relation = spec.get('relation')
    text = f'{say[0]}在{say[1]}的{ZH_RELATION[relation]}' if relation else '和'.join(say)
    back = f"{ZH_COLOUR[spec['back']]}色{rng.choice(('', '的'))}背景"
    forms = ('{m}，{b}', '{b}，{m}', '{b}上，{m}')
    if not relation:
        forms += ('{b}上的{m}', '{b}上的{m}', '{b}上有{m}', '在{b}上画{m}')
    return rng.choice(forms).format(m=text, b=back)


# ---------------------------------------------------------------- scenes
def thing_english(kind, colour, n, rng):
    bare = kind.rstrip('23')
    if bare == 'house':
        adjective = rng.choice(('', '', 'small ', 'little '))
        roof = f' with {article(colour_word(colour, rng))} roof' if rng.random() > .12 else ''
        return f'a {adjective}house{roof}'
    if bare == 'boat':
        word = rng.choice(('boat', 'boat', 'sailboat', 'ship'))
        if rng.random() < .12:
            return f'a {word}' if n == 1 else f'{NUMBER[n]} {word}s'
        if n == 1:
            return f'a {word} with {article(colour_word(colour, rng))} sail'
        return f'{NUMBER[n]} {word}s with {colour_word(colour, rng)} sails'
    one, many = NOUN[bare]
    if n > 1:
        return f"{str(n) if rng.random() < .1 else NUMBER[n]} {many}"
    return article(one)


def thing_chinese(kind, colour, n, rng):
    bare = kind.rstrip('23')
    if bare == 'house':
        return f"一座{ZH_COLOUR[colour]}色屋顶的{rng.choice(('房子', '房子', '小屋'))}"
    if bare == 'boat':
        return f"{ZH_NUMBER[n]}艘{ZH_COLOUR[colour]}色{rng.choice(('', '的'))}帆船"
    return ZH_NUMBER[n] + ZH_NOUN[bare]


def described(spec, rng):
    """(groups to name, whether to name time, ground, sky): what the prompt will mention."""
    things = [t for t in spec['things'] if t[0].rstrip('23') not in ('mountain', 'low sun')]
    homes = {HOME[k.rstrip('23')] for k, _ in things}
    ground_clear = homes == {spec['ground']} and rng.random() < .15
    time_clear = spec['time'] == 'day' and rng.random() < .25
    return groups_of(things), not time_clear, not ground_clear


def sky_extras(spec, rng, chinese):
    """Mountains are always named; sun, moon and clouds may be left to chance."""
    kinds, out = [k.rstrip('23') for k, _ in spec['things']], []
    pick = lambda en, zh: rng.choice(zh if chinese else en)
    named = rng.random() < .75
    if 'low sun' in kinds and named or spec['disc'] == 'sun' and named:
        out.append(pick(('the sun', 'a sun', 'the sun'), ('太阳',)))
    if spec['disc'] == 'moon' and named:
        out.append(pick(('a full moon', 'a full moon', 'the moon', 'a moon'), ('满月', '月亮')))
    if spec['disc'] == 'crescent':
        out.append(pick(('a crescent moon',), ('弯月', '新月')))
    if 'mountain' in kinds:
        out.append(pick(('mountains', 'a mountain', 'a mountain in the background',
                         'snowy mountains'), ('山', '远处有山', '雪山')))
    if spec['clouds'] and rng.random() < .75:
        out.append(pick(('clouds', 'white clouds'), ('白云', '云')))
    return out


def scene_english(spec, rng):
    groups, with_time, with_ground = described(spec, rng)
    ground, time = rng.choice(GROUND[spec['ground']]), rng.choice(TIME[spec['time']])
    where = [ground] * with_ground + [time] * with_time
    if rng.random() < .25:
        where.reverse()
    extras = sky_extras(spec, rng, False)
    if spec['word']:
        quote = rng.choice(('"%s"', '"%s"', '"%s"', "'%s'", '“%s”')) % spec['word']
        head = rng.choice(('a wooden sign that says {q}', 'a sign that says {q}',
                           'a sign saying {q}', 'a wooden sign with the text {q}', 'a wooden board saying {q}',
                           'a sign with the word {q}', 'a sign {q}')).format(q=quote)
    elif groups:
        names = [thing_english(k, c, n, rng) for (k, c), n in groups]
        head = join(names)
        if len(groups) == 2 and rng.random() < .2:
            head = f"{names[0]} {rng.choice(RELATION['left'])} {names[1]}" if rng.random() < .5 \
                else f"{names[1]} {rng.choice(RELATION['right'])} {names[0]}"
        elif len(groups) > 1 and rng.random() < .5:
            rng.shuffle(names)
            head = join(names)
    else:
        head, where = rng.choice(GROUND_ALONE[spec['ground']]), [time] * with_time
        if 'mountain' in (extras and extras[0]) and rng.random() < .5:
            head, extras = f'{extras[0]} and {head}', extras[1:]
    if spec['flowers'] and not spec['word']:
        flowers = f"{colour_word(spec['flowers'], rng)} flowers"
        head = head + (f' and {flowers}' if ' and ' not in head else f', {flowers}')
    text = ' '.join([head] + where) if rng.random() < .7 else ', '.join([head] + where)
    if extras:
        text += rng.choice((' with ', ', ', ' with ')) + join(extras)
    if rng.random() < .08:
        text = rng.choice(('a picture of ', 'an illustration of ', 'a painting of ')) + text
    return text


def scene_chinese(spec, rng):
    groups, with_time, with_ground = described(spec, rng)
    ground, time = rng.choice(ZH_GROUND[spec['ground']]), rng.choice(ZH_TIME[spec['time']])
    names = [thing_chinese(k, c, n, rng) for (k, c), n in groups]
    if rng.random() < .5:
        rng.shuffle(names)
    if spec['flowers']:
        names.append(f"{ZH_COLOUR[spec['flowers']]}色的花")
    if spec['word']:
        quote = rng.choice(('"%s"', '“%s”', '「%s」')) % spec['word']
        names = [rng.choice(('一块木牌，写着', '一个写着', '一块写着')) + quote]
        names[0] += '的木牌' if '，' not in names[0] else ''
    tail = ''.join('，' + x for x in sky_extras(spec, rng, True))
    place = f'{time}的{ground}' if with_time else ground
    if not names:
        return place + tail
    things = rng.choice(('和', '、')).join(names)
    if not with_ground and not spec['word']:
        return (f'{time}，' if with_time else '') + things + tail
    return rng.choice((f'{place}上有{things}{tail}', f'{things}，{place}{tail}'))


# ---------------------------------------------------------------- all together
def dress(text, rng):
    if rng.random() < .15:
        text = text[0].upper() + text[1:]
    if rng.random() < .08:
        text += '.'
    return text


def prompt(spec, rng, chinese=None):
    chinese = rng.random() < .25 if chinese is None else chinese
    if spec['kind'] == 'shapes':
        return shapes_chinese(spec, rng) if chinese else dress(shapes_english(spec, rng), rng)
    return scene_chinese(spec, rng) if chinese else dress(scene_english(spec, rng), rng)


THINGS_ELSEWHERE = (
    'cat dog horse bird fish dragon robot car train plane bicycle city street castle bridge tower '
    'woman man child girl boy king queen portrait face hand flower rose apple banana cake coffee '
    'cup table chair lamp book computer phone guitar piano rocket spaceship planet galaxy river '
    'lake waterfall forest jungle island volcano cave farm barn windmill fox wolf bear lion tiger '
    'elephant monkey rabbit mouse butterfly bee spider whale shark turtle frog snake owl eagle '
    'penguin panda astronaut wizard knight pirate monster unicorn clock key umbrella hat shoe '
    'dress crown sword logo poster photo mug bottle bus truck ship kitchen room office garden '
    'park beach').split()
WAYS_ELSEWHERE = ('', '', '', 'cute ', 'beautiful ', 'old ', 'photo of a ', 'painting of a ',
                  'portrait of a ', 'watercolor ', 'pixel art ', 'a ', 'a ', 'the ', 'my ', '3d ')
ZH_ELSEWHERE = ('一只猫', '一条狗', '一个女孩', '城市', '森林', '汽车', '飞机', '一朵玫瑰', '机器人', '龙', '你好',
                '一杯咖啡', '一匹马', '宇航员', '城堡', '春天', '风景', '熊猫', '一只鸟', '苹果')


def foreign(spec, rng):
    """A prompt with something unknown; its known part, if any, agrees with the spec."""
    if rng.random() < .15:
        return rng.choice(ZH_ELSEWHERE)
    noun = rng.choice(WAYS_ELSEWHERE) + rng.choice(THINGS_ELSEWHERE)
    u = rng.random()
    if u < .25:
        noun += rng.choice((' and ', ' with ', ' in a ', ' ')) + rng.choice(THINGS_ELSEWHERE)
    elif u < .6 and spec['kind'] == 'shapes':
        noun += f" on {article(colour_word(spec['back'], rng))} background"
    elif u < .6:
        noun += ' ' + rng.choice(GROUND[spec['ground']])
        noun += ' ' + rng.choice(TIME[spec['time']]) if rng.random() < .5 else ''
    return dress(noun, rng)


if __name__ == '__main__':
    import random
    r = random.Random(3)
    for _ in range(60):
        print(prompt(world.sample_spec(r, 8), r))
    for _ in range(8):
        print('foreign:', foreign(world.sample_spec(r, 8), r))
