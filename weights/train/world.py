"""The model's world: pictures made of 32 px cells, drawn together with the name of every cell.

A *spec* is a small dict that says what is in the picture; `sample_spec` draws one at random,
`render` turns it into a grid of cell names and, when asked, pixels. A name says what a cell shows
but not what surrounds it: the edge of a red star is the same name on every background, a tree the
same at noon and at night. So the prior has few, freely combinable codes to learn and the diffusion
model, which sees the whole grid, completes each of them from its neighbours.
"""
import math
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 32                      # pixels of one token of the large grid
SS = 2                         # supersampling while drawing
FONT_FILE = '/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf'

COLOURS = dict(red=(222, 45, 48), orange=(245, 140, 30), yellow=(250, 214, 50),
               green=(50, 165, 75), blue=(45, 105, 215), purple=(140, 70, 185),
               pink=(246, 150, 190), white=(247, 247, 244), black=(30, 30, 34),
               brown=(130, 80, 45), gray=(150, 152, 156))
SHAPES = ('circle', 'square', 'triangle', 'star', 'heart', 'diamond')
SHAPE_SIDES = (2, 3, 4)        # cells
ROOFS = SAILS = tuple(COLOURS)
FLOWERS = ('red', 'yellow', 'pink', 'white', 'purple', 'blue', 'orange')
TIMES = ('day', 'sunset', 'night')
GROUNDS = ('meadow', 'sea', 'desert', 'snow')
LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
WORD_MAX = 5
SKY_LEVELS, GROUND_LEVELS = 5, 3

SKY = dict(day=((92, 168, 236), None, (205, 232, 250)),
           sunset=((92, 62, 140), (225, 105, 105), (253, 190, 110)),
           night=((14, 18, 52), None, (48, 60, 112)))
SOIL = dict(meadow=((108, 188, 84), (70, 150, 62)), sea=((52, 140, 196), (24, 84, 150)),
            desert=((240, 205, 130), (222, 172, 92)), snow=((246, 249, 253), (206, 222, 240)))
TINT = dict(day=((255, 255, 255), 0.), sunset=((235, 110, 70), .22), night=((16, 22, 66), .45))


def mix(a, b, t):
    return tuple(int(x * (1 - t) + y * t) for x, y in zip(a, b))


def shade(colour, f):
    return tuple(int(min(255, v * f)) for v in colour)


class Canvas:
    """A picture under construction: cell names always, pixels if `pixels`; units are pixels."""

    def __init__(self, rows, cols, name, pixels):
        self.rows, self.cols = rows, cols
        self.cells = [[name] * cols for _ in range(rows)]
        size = (cols * CELL * SS, rows * CELL * SS)
        self.image = Image.new('RGB', size) if pixels else None
        self.pen = ImageDraw.Draw(self.image) if pixels else None

    def put(self, row, col, name):
        self.cells[row][col] = name

    def box(self, x0, y0, x1, y1, colour, radius=0):
        if self.pen:
            xy = [x0 * SS, y0 * SS, x1 * SS - 1, y1 * SS - 1]
            self.pen.rounded_rectangle(xy, radius * SS, fill=colour)

    def oval(self, x0, y0, x1, y1, colour):
        if self.pen:
            self.pen.ellipse([x0 * SS, y0 * SS, x1 * SS - 1, y1 * SS - 1], fill=colour)

    def poly(self, points, colour):
        if self.pen:
            self.pen.polygon([(x * SS, y * SS) for x, y in points], fill=colour)

    def gradient(self, row0, row1, stops):
        """Vertical gradient over whole rows of cells."""
        if not self.pen:
            return
        n = (row1 - row0) * CELL * SS
        at = np.linspace(0, 1, len(stops))
        y = np.linspace(0, 1, n)
        column = np.stack([np.interp(y, at, [s[k] for s in stops]) for k in range(3)], -1)
        strip = np.repeat(column[:, None].round().astype(np.uint8), self.image.width, 1)
        self.image.paste(Image.fromarray(strip), (0, row0 * CELL * SS))

    def picture(self):
        """uint8 [height, width, 3]"""
        size = (self.cols * CELL, self.rows * CELL)
        return np.asarray(self.image.resize(size, Image.BOX))


# ---------------------------------------------------------------- shapes on a plain background
def shape_outline(kind):
    """Corners in the unit square; None for the circle."""
    if kind == 'square':
        return [(0, 0), (1, 0), (1, 1), (0, 1)]
    if kind == 'triangle':
        return [(.5, 0), (1, 1), (0, 1)]
    if kind == 'diamond':
        return [(.5, 0), (1, .5), (.5, 1), (0, .5)]
    if kind == 'star':
        turn = [(i * math.pi / 5, .525 if i % 2 == 0 else .22) for i in range(10)]
        return [(.5 + math.sin(a) * r * .952, .525 - math.cos(a) * r) for a, r in turn]
    if kind == 'heart':
        turn = [i * math.pi / 40 for i in range(80)]
        return [(.5 + .5 * math.sin(t) ** 3,
                 .45 - .034 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
                               - math.cos(4 * t))) for t in turn]
    return None


def draw_shape(canvas, kind, col, row, side, colour):
    x, y, n = col * CELL, row * CELL, side * CELL
    outline = shape_outline(kind)
    if outline is None:
        canvas.oval(x, y, x + n, y + n, colour)
    else:
        canvas.poly([(x + u * n, y + v * n) for u, v in outline], colour)


@lru_cache(None)
def shape_cells(kind, side):
    """What each cell of a shape is: '' outside, 'fill' inside, else the edge's own name."""
    mask = Canvas(side, side, '', True)
    draw_shape(mask, kind, 0, 0, side, (255, 255, 255))
    cover = mask.picture()[..., 0].reshape(side, CELL, side, CELL).mean((1, 3)) / 255
    if kind == 'square':
        cover[:] = 1
    name = lambda r, c: f'{kind}{side}.{r}{c}'
    return tuple(tuple('' if cover[r, c] < .01 else 'fill' if cover[r, c] > .99 else name(r, c)
                       for c in range(side)) for r in range(side))


def stamp_shape(canvas, kind, colour, row, col, side):
    draw_shape(canvas, kind, col, row, side, COLOURS[colour])
    for r, line in enumerate(shape_cells(kind, side)):
        for c, name in enumerate(line):
            if name:
                canvas.put(row + r, col + c, f'{name}.{colour}')


def place_shapes(spec, rows, cols):
    """[(row, col)] of every shape in the order in which the prompt names them.

    Always the same places: a place drawn at random is spread thin over the cells at which a shape
    could begin, nucleus sampling cuts every one of them off, and the picture stays empty."""
    n, side = len(spec['items']), spec['side']
    top, left = (rows - side) // 2, (cols - side) // 2
    near, far = cols // 2 - 3, cols // 2 + 1
    high, low = rows // 2 - 3, rows // 2 + 1
    relation = spec.get('relation')
    if n == 1:
        return [(top, left)]
    if n == 2:
        places = [(high, left), (low, left)] if relation in ('above', 'below') \
            else [(top, near), (top, far)]
        return places[::-1] if relation in ('right', 'below') else places
    if n == 3:
        return [(high, left), (low, near), (low, far)]
    return [(high, near), (high, far), (low, near), (low, far)]


def plain(colour, rows, cols, pixels):
    canvas = Canvas(rows, cols, f'fill.{colour}', pixels)
    canvas.box(0, 0, cols * CELL, rows * CELL, COLOURS[colour])
    return canvas


def render_shapes(spec, rows, cols, pixels):
    canvas = plain(spec['back'], rows, cols, pixels)
    for (kind, colour), (r, c) in zip(spec['items'], place_shapes(spec, rows, cols)):
        stamp_shape(canvas, kind, colour, r, c, spec['side'])
    return canvas


def render_crowd(spec, rows, cols, pixels):
    canvas = plain(spec['back'], rows, cols, pixels)
    for item in spec['items']:
        stamp_shape(canvas, *item)
    return canvas


# ---------------------------------------------------------------- scenes
class Stage:
    """A scene being drawn: its canvas, the first ground row and the colour of the light."""

    def __init__(self, canvas, horizon, time):
        self.canvas, self.horizon, self.time = canvas, horizon, time
        self.free_sky = {}

    def lit(self, colour):
        return mix(colour, *TINT[self.time])


def house(st, x, y, colour):
    cv, lit = st.canvas, st.lit
    cv.box(x + 4, y - 32, x + 60, y + 32, lit((245, 228, 196)))
    cv.poly([(x, y - 32), (x + 32, y - 64), (x + 64, y - 32)], lit(COLOURS[colour]))
    cv.box(x + 24, y + 4, x + 40, y + 32, lit((120, 74, 44)))
    window = (255, 224, 120) if st.time == 'night' else lit((120, 180, 225))
    cv.box(x + 10, y - 22, x + 24, y - 8, window)
    cv.box(x + 40, y - 22, x + 54, y - 8, window)


def tree(st, x, y, _):
    cv, lit = st.canvas, st.lit
    cv.box(x + 12, y + 28, x + 20, y + 56, lit((112, 72, 42)))
    cv.box(x + 1, y - 28, x + 31, y + 36, lit((46, 128, 56)), 15)
    cv.oval(x + 7, y - 22, x + 21, y, lit((80, 165, 80)))


def pine(st, x, y, _):
    cv, lit = st.canvas, st.lit
    cv.box(x + 12, y + 38, x + 20, y + 58, lit((112, 72, 42)))
    for half, base, top in ((15, 40, 6), (12, 20, -12), (9, 0, -30)):
        cv.poly([(x + 16 - half, y + base), (x + 16, y + top), (x + 16 + half, y + base)],
                lit((38, 112, 78)))


def snowman(st, x, y, _):
    cv, lit = st.canvas, st.lit
    snow, edge = lit((252, 253, 255)), lit((186, 202, 224))
    for half, top, bottom in ((15, 50, 81), (11, 31, 54)):
        cv.oval(x + 16 - half, y + top, x + 16 + half, y + bottom, edge)
        cv.oval(x + 16 - half, y + top, x + 14 + half, y + bottom - 2, snow)
    cv.oval(x + 7, y + 15, x + 25, y + 33, snow)
    for dx in (11, 18):
        cv.oval(x + dx, y + 20, x + dx + 3, y + 23, (30, 30, 40))
    cv.poly([(x + 16, y + 24), (x + 26, y + 26), (x + 16, y + 28)], (245, 130, 40))
    cv.box(x + 9, y + 2, x + 23, y + 16, (40, 40, 50))
    cv.box(x + 5, y + 13, x + 27, y + 17, (40, 40, 50))


def cactus(st, x, y, _):
    cv, green = st.canvas, st.lit((58, 140, 80))
    cv.box(x + 11, y + 2, x + 21, y + 62, green, 5)
    cv.box(x + 1, y + 18, x + 7, y + 42, green, 3)
    cv.box(x + 1, y + 36, x + 16, y + 42, green, 3)
    cv.box(x + 25, y + 10, x + 31, y + 34, green, 3)
    cv.box(x + 16, y + 28, x + 31, y + 34, green, 3)


def boat(st, x, y, colour):
    cv, lit = st.canvas, st.lit
    cv.poly([(x + 2, y + 32), (x + 62, y + 32), (x + 50, y + 54), (x + 14, y + 54)],
            lit((138, 80, 44)))
    cv.box(x + 31, y - 32, x + 34, y + 32, lit((96, 60, 34)))
    cv.poly([(x + 35, y - 30), (x + 60, y + 28), (x + 35, y + 28)], lit(COLOURS[colour]))
    cv.poly([(x + 30, y - 24), (x + 6, y + 28), (x + 30, y + 28)],
            lit(shade(COLOURS[colour], .85)))


def lighthouse(st, x, y, _):
    cv, lit = st.canvas, st.lit
    cv.poly([(x, y + 32), (x + 4, y + 16), (x + 28, y + 16), (x + 32, y + 32)],
            lit((110, 104, 104)))
    for k in range(5):
        stripe = (222, 50, 50) if k % 2 == 0 else (246, 244, 240)
        cv.box(x + 7, y + 16 - 18 * (k + 1), x + 25, y + 16 - 18 * k, lit(stripe))
    cv.box(x + 10, y - 84, x + 22, y - 74, (255, 236, 140))
    cv.poly([(x + 6, y - 84), (x + 16, y - 94), (x + 26, y - 84)], lit((150, 40, 40)))


def low_sun(st, x, y, _):
    st.canvas.oval(x + 2, y - 62, x + 62, y - 2, (255, 240, 160))


def slopes(st, x, y, height, colour, cap):
    """A mountain or pyramid of 45 degrees, `height` cells high, on the horizon."""
    cv, lit, n = st.canvas, st.lit, height * CELL
    mid = x + n
    cv.poly([(x, y), (mid, y - n), (mid, y)], lit(colour))
    cv.poly([(mid, y - n), (mid + n, y), (mid, y)], lit(shade(colour, .84)))
    if cap:
        snow = [(-20, 20), (0, 0), (20, 20), (8, 15), (0, 24), (-9, 15)]
        cv.poly([(mid + dx, y - n + dy) for dx, dy in snow], lit((248, 250, 255)))


def slope_cells(kind, height, cap):
    rows = []
    for r in range(height):
        ends = ('peakL', 'peakR') if cap and r == 0 else ('slopeL', 'slopeR')
        half = [ends[0]] + ['bodyL'] * r, ['bodyR'] * r + [ends[1]]
        line = [''] * (height - 1 - r) + half[0] + half[1] + [''] * (height - 1 - r)
        rows.append([f'{kind}.{n}' if n else '' for n in line])
    return rows


def column_cells(kind, n):
    return [[f'{kind}.{i}'] for i in range(n)]


# kind: (rows above the horizon, cells, drawing); '*' stands for the colour
THINGS = {
    'house': (2, [['roof.L.*', 'roof.R.*'], ['wall.00', 'wall.01'], ['wall.10', 'wall.11']], house),
    'tree': (1, column_cells('tree', 3), tree),
    'pine': (1, column_cells('pine', 3), pine),
    'snowman': (0, column_cells('snowman', 3), snowman),
    'cactus': (0, column_cells('cactus', 2), cactus),
    'boat': (1, [['sail.00.*', 'sail.01.*'], ['sail.10.*', 'sail.11.*'], ['hull.L', 'hull.R']],
             boat),
    'lighthouse': (3, column_cells('lighthouse', 4), lighthouse),
    'low sun': (2, [['lowsun.00', 'lowsun.01'], ['lowsun.10', 'lowsun.11']], low_sun),
}
for _h in (2, 3):
    THINGS[f'mountain{_h}'] = (_h, slope_cells('mountain', _h, True),
                               lambda st, x, y, _, h=_h: slopes(st, x, y, h, (112, 122, 158), True))
    THINGS[f'pyramid{_h}'] = (_h, slope_cells('pyramid', _h, False),
                              lambda st, x, y, _, h=_h: slopes(st, x, y, h, (226, 178, 96), False))


def thing_width(kind):
    return len(THINGS[kind][1][0])


def stamp_thing(st, kind, colour, col):
    above, cells, draw = THINGS[kind]
    draw(st, col * CELL, st.horizon * CELL, colour)
    for r, line in enumerate(cells):
        for c, name in enumerate(line):
            if name:
                st.canvas.put(st.horizon - above + r, col + c, name.replace('*', colour or ''))


def stamp_disc(st, kind, col):
    """Sun, full moon or crescent: two cells each way in the top rows."""
    cv, x = st.canvas, col * CELL
    if kind == 'sun':
        cv.oval(x + 2, 2, x + 62, 62, (255, 232, 120))
        cv.oval(x + 8, 8, x + 56, 56, (255, 210, 50))
    elif kind == 'moon':
        cv.oval(x + 4, 4, x + 60, 60, (250, 244, 208))
    elif cv.pen:
        under = cv.image.copy()
        cv.oval(x + 4, 4, x + 60, 60, (250, 244, 208))
        hole = Image.new('L', cv.image.size)
        ImageDraw.Draw(hole).ellipse([(x + 20) * SS, -4 * SS, (x + 72) * SS, 50 * SS], fill=255)
        cv.image.paste(under, (0, 0), hole)
        cv.pen = ImageDraw.Draw(cv.image)
    for r in range(2):
        for c in range(2):
            cv.put(r, col + c, f'{kind}.{r}{c}')


def stamp_cloud(st, col, row):
    cv, x, y = st.canvas, col * CELL + 32, row * CELL + 16
    for dx, dy, r in ((-18, 3, 11), (0, -2, 14), (18, 3, 11)):
        cv.oval(x + dx - r, y + dy - r, x + dx + r, y + dy + r, (250, 252, 255))
    cv.box(x - 18, y + 3, x + 18, y + 14, (250, 252, 255))
    cv.put(row, col, 'cloud.L')
    cv.put(row, col + 1, 'cloud.R')


def stamp_sky(st, spec):
    """Sun or moon, clouds and stars, in the two top rows."""
    cv = st.canvas
    if spec['disc']:
        stamp_disc(st, spec['disc'], cv.cols - 3)
    for k in range(spec['clouds']):
        stamp_cloud(st, 2 * k, 1 - k)
    if st.time != 'night':
        return
    for r in range(st.horizon - 1):
        for c in range(r % 2, cv.cols, 3):
            if cv.cells[r][c].startswith('sky.'):
                x, y = c * CELL + 16, r * CELL + 16
                cv.oval(x - 2, y - 2, x + 2, y + 2, (235, 235, 215))
                cv.put(r, c, 'star')


def stamp_waves(st):
    cv, colour = st.canvas, st.lit((150, 205, 236))
    if cv.pen:
        for r in range(st.horizon, cv.rows):
            for c in range(cv.cols):
                x, y = c * CELL, r * CELL + 14
                xy = [(x + 5) * SS, (y - 4) * SS, (x + 27) * SS, (y + 8) * SS]
                cv.pen.arc(xy, 200, 340, fill=colour, width=2 * SS)


def stamp_flowers(st, colour):
    cv, lit = st.canvas, st.lit
    heart = (250, 200, 60) if colour != 'yellow' else (220, 120, 30)
    for c in range(cv.cols):
        x, y = c * CELL + 16, (st.horizon + 2) * CELL + 12
        cv.box(x - 2, y, x + 2, y + 16, lit((40, 110, 40)))
        for k in range(5):
            px, py = x + 7 * math.sin(k * 1.2566), y - 7 * math.cos(k * 1.2566)
            cv.oval(px - 5, py - 5, px + 5, py + 5, lit(COLOURS[colour]))
        cv.oval(x - 4, y - 4, x + 4, y + 4, lit(heart))
        cv.put(st.horizon + 2, c, f'flower.{colour}')


@lru_cache(None)
def sign_font():
    return ImageFont.truetype(FONT_FILE, 34 * SS)


def horizon_of(rows):
    """The first row of the ground"""
    return rows * 5 // 8


def sign_row(rows):
    return horizon_of(rows) - 1


def stamp_sign(st, word):
    """A wooden board just above the horizon, one cell a letter, on posts."""
    cv, n, row = st.canvas, len(word), sign_row(st.canvas.rows)
    y = row * CELL
    col = (cv.cols - n - 2) // 2
    x = (col + 1) * CELL
    for c in {col + 1, col + n}:
        cv.box(c * CELL + 11, y + 20, c * CELL + 21, y + 88, (112, 72, 40))
        cv.put(st.horizon, c, 'post.0')
        cv.put(st.horizon + 1, c, 'post.1')
    cv.box(x - 12, y, x + CELL * n + 12, y + 32, (98, 62, 34))
    cv.box(x - 9, y + 3, x + CELL * n + 9, y + 29, (150, 98, 56))
    cv.put(row, col, 'board.L')
    cv.put(row, col + n + 1, 'board.R')
    for i, ch in enumerate(word):
        cv.put(row, col + 1 + i, f'letter.{ch}')
        if cv.pen:
            at = ((x + CELL * i + 16) * SS, (y + 16) * SS)
            cv.pen.text(at, ch, font=sign_font(), fill=(255, 246, 222), anchor='mm')


def place_things(things, cols):
    """Columns from left to right, the spare ones dealt evenly to the gaps."""
    n = len(things) + 1
    spare = cols - sum(thing_width(k) for k, _ in things)
    used, out = 0, []
    for i, (kind, _) in enumerate(things):
        out.append(spare * (i + 1) // n + used)
        used += thing_width(kind)
    return out


def render_scene(spec, rows, cols, pixels):
    horizon = horizon_of(rows)
    canvas = Canvas(rows, cols, '', pixels)
    st = Stage(canvas, horizon, spec['time'])
    top, middle, bottom = SKY[st.time]
    canvas.gradient(0, horizon, [c for c in (top, middle, bottom) if c])
    canvas.gradient(horizon, rows, [st.lit(c) for c in SOIL[spec['ground']]])
    for r in range(rows):
        level = r * SKY_LEVELS // horizon
        name = f'sky.{st.time}.{level}'
        if r >= horizon:
            level = (r - horizon) * GROUND_LEVELS // (rows - horizon)
            name = f"{spec['ground']}.{st.time}.{level}"
        canvas.cells[r] = [name] * cols
    if spec['ground'] == 'sea':
        stamp_waves(st)
    stamp_sky(st, spec)
    columns = spec.get('columns') or place_things(spec['things'], cols)
    for (kind, colour), col in zip(spec['things'], columns):
        stamp_thing(st, kind, colour, col)
    if spec['word']:
        stamp_sign(st, spec['word'])
    if spec['flowers']:
        stamp_flowers(st, spec['flowers'])
    return canvas


# ---------------------------------------------------------------- specs
HELD_OUT = tuple(
    (random.Random(k).choice(SHAPES), *random.Random(100 + k).sample(list(COLOURS), 2))
    for k in range(24))            # shape, colour, background: never trained, for the evaluation


def sample_shapes(rng, held_out=()):
    """One to four shapes. `held_out` triples (shape, colour, background) never appear."""
    while True:
        back = rng.choice(list(COLOURS))
        colours = [c for c in COLOURS if c != back]
        item = lambda: (rng.choice(SHAPES), rng.choice(colours))
        a, b = item(), item()
        u, spec = rng.random(), dict(kind='shapes', back=back, size='', side=2)
        if u < .42:
            size = rng.choice(('small', '', '', 'big'))
            spec.update(items=[a], size=size, side=2 if size == 'small' else 4)
        elif u < .68:
            spec.update(items=[a, b], relation=rng.choice(('left', 'right', 'above', 'below')))
        elif u < .82:
            spec.update(items=[a] * rng.choice((2, 2, 3, 3, 4)))
        else:
            n, m = rng.choice(((1, 1), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (3, 1)))
            spec.update(items=[a] * n + [b] * m)
        clash = len(set(spec['items'])) == 1 and u >= .82 or a == b and .42 <= u < .68
        if not clash and not any((s, c, back) in held_out for s, c in spec['items']):
            return spec


def fit_things(things, cols):
    """Drops things, mountains first made smaller, until they stand side by side."""
    order = ('mountain3', 'pyramid3', 'mountain2', 'low sun')
    things = list(things)
    while sum(thing_width(k) for k, _ in things) > cols:
        kind = next((k for k in order if k in [t[0] for t in things]), things[-1][0])
        at = [t[0] for t in things].index(kind)
        if kind.endswith('3'):
            things[at] = (kind[:-1] + '2', None)
        else:
            del things[at]
    return things


def sample_things(rng, ground, time):
    things, maybe = [], lambda p: rng.random() < p
    if ground in ('meadow', 'snow'):
        if maybe(.5):
            things.append(('house', rng.choice(ROOFS)))
        wood = 'pine' if ground == 'snow' or maybe(.25) else 'tree'
        things += [(wood, None)] * rng.choice((0, 0, 1, 1, 2, 3))
        if ground == 'snow' and maybe(.45):
            things.append(('snowman', None))
    elif ground == 'desert':
        if maybe(.5):
            things.append(('pyramid2', None))
        things += [('cactus', None)] * rng.choice((0, 1, 1, 2, 3))
    else:
        if maybe(.75):
            things += [('boat', rng.choice(SAILS))] * rng.choice((1, 1, 1, 1, 2))
        if maybe(.35):
            things.append(('lighthouse', None))
    if maybe(.35 if ground != 'desert' else .08):
        things.append(('mountain3', None))
    if time == 'sunset' and maybe(.5):
        things.append(('low sun', None))
    return things


def sample_scene(rng, cols, sign=False):
    time = rng.choice(('day', 'day', 'sunset', 'night'))
    ground = rng.choice(GROUNDS if not sign else ('meadow', 'desert', 'snow'))
    spec = dict(kind='scene', time=time, ground=ground, word='', flowers='', disc='', clouds=0)
    spec['things'] = [] if sign else fit_things(sample_things(rng, ground, time), cols)
    if time == 'day':
        spec['disc'] = 'sun' if rng.random() < .55 else ''
        spec['clouds'] = rng.choice((0, 0, 2))
    if time == 'night':
        spec['disc'] = rng.choice(('', 'moon', 'moon', 'crescent'))
    if sign:
        spec['word'] = sample_word(rng)
    elif ground == 'meadow' and rng.random() < .3:
        spec['flowers'] = rng.choice(FLOWERS)
    return spec


WORDS = ('HELLO HOME CAFE OPEN STOP GO YES NO HI LOVE STAR MOON SUN SEA TEA CAT DOG TREE ROSE LAKE '
         'HOTEL PARK SHOP BOOK MAP FARM ZOO INN BAR EXIT FISH BIRD BEAR LION SNOW RAIN WIND FIRE '
         'GOLD ICE JAZZ KING LEMON MILK NORTH EAST WEST SOUTH PEACE QUIET RIVER SALE TAXI VILLA '
         'WATER YOGA ZERO PIZZA 2026 100 42 7 NEW OLD BIG TOY ART MUSIC DANCE DREAM SMILE HAPPY '
         'LUCKY MAGIC HONEY BREAD APPLE FRESH').split()


def sample_word(rng):
    if rng.random() < .3:
        return rng.choice([w for w in WORDS if len(w) <= WORD_MAX])
    pool = LETTERS if rng.random() < .1 else LETTERS[:26]
    return ''.join(rng.choice(pool) for _ in range(rng.randint(1, WORD_MAX)))


def sample_spec(rng, cols, held_out=()):
    u = rng.random()
    if u < .46:
        return sample_shapes(rng, held_out)
    return sample_scene(rng, cols, sign=u > .82)


def sample_crowd(rng, rows, cols, held_out=()):
    """A picture as full as it can be, for the painter, which has every code to learn to draw:
    shapes of all colours on one background, or a scene with things from edge to edge."""
    if rng.random() < .35:
        spec = sample_scene(rng, cols)
        kinds = dict(meadow=('house', 'house', 'tree', 'pine'), snow=('house', 'pine', 'snowman'),
                     desert=('cactus', 'pyramid2'), sea=('boat', 'boat', 'boat', 'lighthouse'))
        things = []
        while sum(thing_width(k) for k, _ in things) < cols:
            kind = rng.choice(kinds[spec['ground']])
            things.append((kind, rng.choice(ROOFS) if kind in ('house', 'boat') else None))
        return spec | dict(things=fit_things(things, cols))
    back, items = rng.choice(list(COLOURS)), []
    for r in range(0, rows, 4):
        for c in range(0, cols, 4):
            side = rng.choice((4, 4, 2))
            for dr, dc in ((0, 0),) if side == 4 else ((0, 0), (0, 2), (2, 0), (2, 2)):
                shape, colour = rng.choice(SHAPES), rng.choice([k for k in COLOURS if k != back])
                if (shape, colour, back) not in held_out:
                    items.append((shape, colour, r + dr, c + dc, side))
    return dict(kind='crowd', back=back, items=items)


def render(spec, rows, cols, pixels=True):
    """Canvas of the spec"""
    make = dict(shapes=render_shapes, crowd=render_crowd, scene=render_scene)[spec['kind']]
    return make(spec, rows, cols, pixels)


# ---------------------------------------------------------------- names and codes
@lru_cache(None)
def cell_names():
    """Every name that can occur, in the order of its code."""
    names = [f'fill.{c}' for c in COLOURS]
    names += [f'sky.{t}.{k}' for t in TIMES for k in range(SKY_LEVELS)] + ['star']
    names += [f'{g}.{t}.{k}' for g in GROUNDS for t in TIMES for k in range(GROUND_LEVELS)]
    corners = [f'{r}{c}' for r in range(2) for c in range(2)]
    names += [f'{disc}.{corner}' for disc in ('sun', 'moon', 'crescent') for corner in corners]
    names += ['cloud.L', 'cloud.R', 'board.L', 'board.R', 'post.0', 'post.1']
    names += [f'letter.{ch}' for ch in LETTERS] + [f'flower.{c}' for c in FLOWERS]
    for _, cells, _ in THINGS.values():
        for name in (n for line in cells for n in line if n):
            names += [name.replace('*', c) for c in COLOURS] if '*' in name else [name]
    for kind in SHAPES:
        for side in SHAPE_SIDES:
            edges = [n for line in shape_cells(kind, side) for n in line if n not in ('', 'fill')]
            names += [f'{n}.{c}' for n in edges for c in COLOURS]
    return list(dict.fromkeys(names))


@lru_cache(None)
def code_of():
    return {name: k for k, name in enumerate(cell_names())}


def codes(canvas):
    table = code_of()
    return np.array([[table[n] for n in line] for line in canvas.cells])


def preview_size(rows, cols):
    """Size of the preview grid of a rows x cols large grid (the reference's rule)."""
    ratio = rows / cols
    return int(math.sqrt(ratio) * 16), int(math.sqrt(1 / ratio) * 16)


def preview(grid):
    """The preview shows the large grid, resampled to its own size by nearest neighbour."""
    rows, cols = grid.shape
    h, w = preview_size(rows, cols)
    r = ((np.arange(h) + .5) * rows / h).astype(int)
    c = ((np.arange(w) + .5) * cols / w).astype(int)
    return grid[r[:, None], c[None, :]]


if __name__ == '__main__':
    import sys
    out, (rows, cols) = sys.argv[1], (map(int, sys.argv[2:4]) if len(sys.argv) > 3 else (8, 8))
    rng, tiles = random.Random(5), []
    for _ in range(32):
        tiles.append(render(sample_spec(rng, cols), rows, cols).picture())
    lines = [np.concatenate(tiles[i:i + 8], 1) for i in range(0, 32, 8)]
    Image.fromarray(np.concatenate(lines)).save(out)
    print(len(cell_names()), 'codes')
