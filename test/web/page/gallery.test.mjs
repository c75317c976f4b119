// gallery - all of one's pictures on the real server: found, opened, compared, marked, deleted,
// saved; by mouse and by keyboard.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { closeBrowser, openBrowser, visit } from './harness.mjs';
import { Server } from './server.mjs';

const server = new Server('--concurrency', '4');
const SMALL = { width: 64, height: 64, steps: 2 };

/** Ask the server. */
async function ask(method, path, body) {
  const headers = body ? { 'Content-Type': 'application/json' } : {};
  const answer = await fetch(`${server.url}v1/${path}`,
    { method, headers, body: body && JSON.stringify(body) });
  const value = await answer.json();
  assert.ok(answer.ok, JSON.stringify(value));
  return value;
}

async function draw(prompt, more = {}) {
  const job = await ask('POST', 'jobs?wait=50', { spec: { ...SMALL, prompt, ...more } });
  assert.equal(job.state, 'done', JSON.stringify(job));
  return job;
}

const listed = (more = '') => ask('GET', `jobs?results=true&limit=200${more}`);

/** The gallery with all its cells. */
async function open(v, n) {
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await v.page.waitForFunction((n) =>
    document.querySelectorAll('.cell img').length === n, n);
}

const total = (v, pattern) => v.reads('.gallery-total', pattern);
const cell = (v, words) => v.page.getByRole('option', { name: words });
const picked = (v) => v.page.$$eval('.cell[aria-selected=true]', (all) => all.length);

before(async () => {
  await Promise.all([openBrowser(), server.start()]);
  for (let i = 0; i < 6; i++) await draw(`a red circle number ${i}`, { seed: i });
  await draw('A BLUE boat', { seed: 7, width: 96, steps: 3 });
});
after(async () => {
  await closeBrowser();
  await server.remove();
});

test('lists, searches, filters, and shows what is new by itself', async () => {
  const v = await visit(server.url);
  const before = (await listed()).count;
  await open(v, before);
  await total(v, new RegExp(`^${before} pictures$`));
  await v.page.getByRole('searchbox', { name: 'Search in prompts' }).fill('blue BOAT');
  await total(v, /^1 picture$/);
  assert.equal(await cell(v, 'A BLUE boat, 96 × 64').count(), 1);
  await v.page.getByRole('searchbox').fill('nothing of the kind');
  await v.reads('.gallery-nothing', /^No picture matches\.$/);
  await v.page.getByRole('button', { name: 'Show all' }).click();
  await total(v, new RegExp(`^${before} `));
  await v.page.getByRole('combobox', { name: 'Size' }).selectOption('96x64');
  await total(v, /^1 picture$/);
  await v.page.getByRole('combobox', { name: 'Size' }).selectOption('');
  await v.page.getByRole('combobox', { name: 'When' }).selectOption('yesterday');
  await total(v, /^0 pictures$/);
  await v.page.getByRole('combobox', { name: 'When' }).selectOption('today');
  await total(v, new RegExp(`^${before} `));
  const fresh = await draw('a green square', { seed: 99 });
  await cell(v, 'a green square').waitFor();
  assert.equal(await v.page.locator('.cell').first().getAttribute('aria-posinset')
    && await v.page.evaluate(() => [...document.querySelectorAll('.cell')]
      .find((c) => c.getAttribute('aria-posinset') === '1').title), 'a green square');
  await ask('POST', `jobs/${fresh.job}/delete`);
  await draw('a later one', { seed: 98 });
  await cell(v, 'a later one').waitFor();
  await total(v, new RegExp(`^${before + 1} `)); // the deleted one is gone, too
  await v.leave();
});

test('by keyboard alone: open, read, go on, mark, back', async () => {
  const v = await visit(server.url);
  const { jobs, count } = await listed();
  await open(v, count);
  const list = v.page.getByRole('listbox');
  await list.focus();
  await v.page.keyboard.press('ArrowRight');
  const active = (prompt) => v.page.waitForFunction((words) => {
    const id = document.querySelector('[role=listbox]').getAttribute('aria-activedescendant');
    return document.getElementById(id)?.title === words;
  }, prompt);
  await active(jobs[1].spec.prompt);
  await v.page.keyboard.press('f');
  await v.page.waitForSelector('.cell.active.favoured');
  await v.page.keyboard.press('Enter');
  const dialog = v.page.getByRole('dialog');
  await dialog.waitFor();
  assert.equal(await dialog.getByRole('heading').innerText(), jobs[1].spec.prompt);
  for (const [name, value] of [['Seed', jobs[1].result.seed], ['Steps', jobs[1].spec.steps],
    ['Job', jobs[1].job]]) {
    assert.match(await dialog.locator('.facts').innerText(), new RegExp(`${name}\\s+${value}\\b`));
  }
  assert.equal(await dialog.getByRole('button', { name: 'Favourite' })
    .getAttribute('aria-pressed'), 'true');
  assert.equal(await dialog.getByRole('button', { name: 'Begin with it' }).count(), 1);
  await v.page.keyboard.press('ArrowRight');
  await v.reads('.details h2', new RegExp(`^${jobs[2].spec.prompt}$`));
  await v.page.keyboard.press('Escape');
  await v.page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'listbox');
  await active(jobs[2].spec.prompt); // the focus is where one was
  await v.page.getByRole('button', { name: 'Favourites' }).click();
  await total(v, /^1 picture$/);
  assert.equal((await listed('&favourite=true')).jobs[0].job, jobs[1].job);
  await v.page.getByRole('button', { name: 'Show all' }).click();
  await total(v, new RegExp(`^${count} pictures$`));
  await list.focus();
  await v.page.keyboard.press('End');
  await active(jobs.at(-1).spec.prompt);
  await v.page.keyboard.press('Home');
  await v.page.keyboard.press('Space');
  await v.page.keyboard.press('ArrowRight');
  await v.page.keyboard.press('Shift+ArrowRight');
  await v.reads('.gallery-picked', /^3 selected$/);
  await v.page.keyboard.press('Escape');
  assert.equal(await picked(v), 0);
  await v.page.keyboard.press('Control+a');
  await v.reads('.gallery-picked', new RegExp(`^${count} selected$`));
  await v.leave();
});

test('what is deleted can be undone before the server knows', async () => {
  const v = await visit(server.url);
  const first = await draw('to be deleted 1', { seed: 1001 });
  const second = await draw('to be deleted 2', { seed: 1002 });
  const { count } = await listed();
  await open(v, count);
  await v.page.getByRole('listbox').focus();
  await v.page.keyboard.press('Home');
  await v.page.keyboard.press('Delete');
  await v.reads('.gallery-undo p', /^1 picture will be deleted\.$/);
  await v.announced(/1 picture will be deleted in 8 seconds/);
  await cell(v, 'to be deleted 2, 64 × 64, about to be deleted').waitFor();
  assert.equal((await listed()).count, count);
  await v.page.getByRole('button', { name: 'Undo' }).click();
  await cell(v, /^to be deleted 2, 64 × 64$/).waitFor();
  assert.equal(await v.page.locator('.gallery-undo').isVisible(), false);
  await cell(v, 'to be deleted 1').locator('.cell-check').click();
  await cell(v, 'to be deleted 2').locator('.cell-check').click();
  await v.page.locator('.gallery-tools').getByRole('button', { name: 'Delete' }).click();
  await v.reads('.gallery-undo p', /^2 pictures will be deleted\.$/);
  await v.page.getByRole('button', { name: 'Delete now' }).click();
  await total(v, new RegExp(`^${count - 2} `));
  const left = (await listed()).jobs.map(({ job }) => job);
  assert.equal(left.length, count - 2);
  assert.ok(!left.includes(first.job) && !left.includes(second.job));
  await v.leave();
});

test('many are saved as one archive that python reads', async () => {
  const v = await visit(server.url);
  const { jobs, count } = await listed();
  await open(v, count);
  await v.page.getByRole('listbox').focus();
  await v.page.keyboard.press('Control+a');
  await v.reads('.gallery-picked', new RegExp(`^${count} selected$`));
  const [download] = await Promise.all([v.page.waitForEvent('download'),
    v.page.getByRole('button', { name: 'Download as zip' }).click()]);
  const read = JSON.parse(execFileSync('python3', ['-c', `
import hashlib, json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps([len(json.loads(z.read('pictures.json')))] + [
    hashlib.blake2b(z.read(n), digest_size=32).hexdigest() for n in z.namelist()[1:]]))`,
  await download.path()], { encoding: 'utf8' }));
  assert.deepEqual(read, [count, ...jobs.map(({ result }) => result.digest)]);
  await v.reads('.gallery-picked', new RegExp(`^${count} pictures are in the archive\\.$`));
  await v.leave();
});

test('compares: one zoom for all, what differs is marked, a slider', async () => {
  const v = await visit(server.url);
  const { count } = await listed();
  await open(v, count);
  await cell(v, 'a red circle number 1').locator('.cell-check').click();
  await cell(v, 'A BLUE boat').locator('.cell-check').click();
  await v.page.getByRole('button', { name: 'Compare' }).click();
  await v.page.waitForFunction(() => [...document.querySelectorAll('.pane img')]
    .filter((i) => i.complete && i.naturalWidth).length === 2);
  const differing = await v.page.$$eval('.differs th', (all) =>
    all.map((th) => th.firstChild.textContent));
  assert.deepEqual(differing, ['Prompt', 'Size', 'Steps', 'Seed']);
  const transforms = () => v.page.$$eval('.pane img', (all) => all.map((i) => i.style.transform));
  const panes = v.page.getByRole('group', { name: /^The pictures/ });
  await panes.focus();
  await v.page.keyboard.press('+');
  await v.page.keyboard.press('ArrowRight');
  const [a, b] = await transforms();
  assert.equal(a, b);
  assert.match(a, /^scale\(1\.25/);
  await v.page.locator('.pane').first().hover();
  await v.page.mouse.wheel(0, -400);
  await v.page.waitForFunction((before) =>
    document.querySelector('.pane img').style.transform !== before, a);
  const [c, d] = await transforms();
  assert.equal(c, d);
  assert.equal(await v.page.getByRole('button', { name: 'Zoom in' }).innerText(), '+');
  await v.page.getByRole('button', { name: 'Zoom out' }).click();
  await v.page.getByRole('button', { name: 'Whole picture' }).click();
  await v.page.waitForFunction(() =>
    /^scale\(1\)|^scale\(1\.0/.test(document.querySelector('.pane img').style.transform));
  await v.page.getByRole('button', { name: 'Slider' }).click();
  await v.page.getByRole('slider').fill('25');
  assert.match(await v.page.$eval('.pane:nth-child(2)', (p) => p.style.clipPath), /25%/);
  const address = v.page.url();
  await v.axe('a comparison');
  await v.page.goBack();
  await v.page.waitForSelector('.cells', { state: 'visible' });
  await v.page.goto(address);
  await v.page.reload();
  await v.page.waitForFunction(() => document.querySelectorAll('.pane img').length === 2);
  await v.leave();
});

test('a comparison whose connection is lost first comes with the next one', async () => {
  const v = await visit(server.url);
  const jobs = (await listed()).jobs.slice(0, 2).map(({ job }) => job);
  await v.page.evaluate((address) => {
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function lose(text) {
      if (!/"type":"job"/.test(text)) return send.call(this, text);
      WebSocket.prototype.send = send;
      return this.close();
    };
    window.location.hash = address;
  }, `#/gallery/compare/${jobs.join('/')}`);
  await v.page.waitForFunction(() => document.querySelectorAll('.pane img').length === 2);
  await v.leave(/already in CLOSING or CLOSED/);
});

test('from a picture: settings, another with other noise, a time-lapse', async () => {
  const v = await visit(server.url);
  const source = await draw('a red circle to go on from', { seed: 77 });
  await open(v, (await listed()).count);
  await cell(v, 'a red circle to go on from').click();
  const dialog = v.page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'New noise' }).click();
  await v.reads('.details-status', /^On its way/);
  await v.page.waitForFunction(() => document.querySelector('.viewer-count').textContent
    .startsWith('2 '));
  const [made] = (await listed()).jobs;
  assert.equal(made.spec.prior_from, source.job);
  assert.equal(made.spec.seed, 77);
  assert.ok(made.spec.noise_seed >= 0);
  const [download] = await Promise.all([v.page.waitForEvent('download'),
    dialog.getByRole('button', { name: 'Time-lapse' }).click()]);
  const film = await readFile(await download.path());
  const frames = film.readUInt32BE(film.indexOf('acTL') + 4);
  assert.ok(frames >= 2, `${frames} frames`); // a preview and the picture: it may be drawn at once
  assert.match(download.suggestedFilename(), /a red circle to go on from .* time-lapse\.png$/);
  await v.reads('.details-status', /^The time-lapse is saved\.$/);
  const whole = await v.page.evaluate(async (bytes) => {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
    return [bitmap.width, bitmap.height];
  }, [...film]);
  assert.deepEqual(whole, [64, 64]);
  assert.equal((await listed('&search=go%20on')).count, 2, 'the film has left no picture');
  await dialog.getByRole('button', { name: 'Use settings' }).click();
  await v.page.waitForSelector('#prompt', { state: 'visible' });
  assert.equal(await v.page.inputValue('#prompt'), 'a red circle to go on from');
  assert.equal(await v.page.inputValue('#seed'), '77');
  assert.equal(await v.page.inputValue('#noise_seed'), '');
  await v.leave();
});

test('two prompts at once: the same seed, and the result is a comparison', async () => {
  const v = await visit(server.url);
  await v.page.fill('#prompt', 'a red circle');
  const toggle = v.page.getByRole('button', { name: 'A / B: compare two prompts' });
  assert.equal(await v.page.locator('#prompt-b').isVisible(), false);
  await toggle.focus();
  await v.page.keyboard.press('Enter');
  assert.equal(await toggle.getAttribute('aria-expanded'), 'true');
  await v.page.keyboard.type('a blue circle'); // the second prompt has the focus
  await v.axe('the form with two prompts');
  await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
  await v.page.fill('#steps', '2');
  await v.page.press('#prompt-b', 'Control+Enter');
  await v.page.waitForFunction(() => document.querySelectorAll('.pane img').length === 2);
  const [b, a] = (await listed()).jobs;
  assert.deepEqual([a.spec.prompt, b.spec.prompt].sort(), ['a blue circle', 'a red circle']);
  assert.equal(a.spec.seed, b.spec.seed);
  assert.deepEqual(await v.page.$$eval('.differs th', (all) =>
    all.map((th) => th.firstChild.textContent)), ['Prompt']);
  assert.equal(await v.page.locator('.pane img').first().getAttribute('alt'), 'a red circle');
  await v.page.goBack();
  assert.equal(await v.page.inputValue('#prompt-b'), 'a blue circle');
  await toggle.click();
  await v.page.press('#prompt', 'Control+Enter');
  await v.cards(3);
  await v.leave();
});

test('a picture that is dropped or chosen brings its settings back', async () => {
  const v = await visit(server.url);
  const made = await draw('a blue "sign" 红', { seed: 4711, steps: 3, guidance: 2.5, width: 96 });
  const png = Buffer.from(await (await fetch(server.url + made.result.url.slice(1))).arrayBuffer());
  const form = () => v.page.evaluate(() => ['prompt', 'seed', 'steps', 'guidance']
    .map((id) => document.getElementById(id).value));
  const wanted = ['a blue "sign" 红', '4711', '3', '2.5'];
  const drop = (bytes, name) => v.page.evaluate(([bytes, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ['dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(type,
        { bubbles: true, cancelable: true, dataTransfer: data }));
    }
  }, [[...bytes], name]);
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await v.page.waitForSelector('.cell img');
  await drop(png, 'a.png');
  await v.page.waitForFunction(() => document.documentElement.dataset.page === 'room'
    && document.getElementById('seed').value === '4711');
  assert.deepEqual(await form(), wanted);
  await drop(Buffer.from('GIF89a'), 'b.gif');
  await v.reads('#notice', /does not say how it was made/);
  assert.deepEqual(await form(), wanted);
  await v.page.evaluate(() => { document.getElementById('seed').value = '1'; });
  const [chooser] = await Promise.all([v.page.waitForEvent('filechooser'),
    v.page.getByRole('button', { name: 'Settings of a picture' }).click()]);
  await chooser.setFiles({ name: 'c.png', mimeType: 'image/png', buffer: png });
  await v.page.waitForFunction(() => document.getElementById('seed').value === '4711');
  assert.equal(await v.page.evaluate(() => document.documentElement.dataset.drop), undefined);
  await v.leave();
});

const MANY = 10_000;

test('ten thousand: a page of cells in the document, wherever one is', async () => {
  const many = new Server();
  await many.start();
  const made = await (await fetch(`${many.url}v1/jobs?wait=50`, { method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ spec: { ...SMALL, prompt: 'the first', seed: 1 } }) })).json();
  assert.equal(made.state, 'done');
  await many.kill('SIGTERM');
  execFileSync('python3', ['-c', `
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1] + '/darkroom.db', timeout=30)
names = [r[1] for r in db.execute('pragma table_info(jobs)')]
row = dict(zip(names, db.execute('select * from jobs').fetchone()))
spec = json.loads(row['spec'])
for i in range(1, int(sys.argv[2])):
    more = {**row, 'job': i, 'ord': row['ord'] + i, 'created_ms': row['created_ms'] + i,
        'spec': json.dumps({**spec, 'prompt': 'number %d' % i}, separators=(',', ':'))}
    db.execute('insert into jobs values(%s)' % ','.join('?' * len(names)), list(more.values()))
db.commit()`, many.data, String(MANY)]);
  await many.start();
  const v = await visit(many.url);
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await total(v, /^10,000 pictures$/);
  await v.page.waitForSelector('.cell img');
  const most = await v.page.evaluate(async () => {
    let cells = 0;
    let bare = 0;
    for (let i = 0; i < 150; i++) {
      scrollTo(0, document.documentElement.scrollHeight * ((i * 37) % 150) / 150);
      await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
      cells = Math.max(cells, document.querySelectorAll('.cell').length);
      const shown = [...document.querySelectorAll('.cell')].filter((cell) => {
        const box = cell.getBoundingClientRect();
        return box.bottom > 0 && box.top < innerHeight;
      });
      bare = Math.max(bare, shown.length ? 0 : 1);
    }
    return { cells, bare, nodes: document.querySelectorAll('*').length };
  });
  assert.ok(most.cells < 120 && most.nodes < 1500, JSON.stringify(most));
  assert.equal(most.bare, 0, 'cells were on view at every place');
  const list = v.page.getByRole('listbox');
  await list.focus();
  await v.page.keyboard.press('End');
  await cell(v, /^the first, /).waitFor();
  await v.page.keyboard.press('f'); // far older than what the server remembers
  await v.page.waitForSelector('.cell.active.favoured');
  await v.page.keyboard.press('Enter');
  await v.reads('.viewer-count', /^10,000 of 10,000$/);
  await v.page.keyboard.press('Escape');
  await v.page.waitForFunction(() => document.activeElement?.closest('[role=listbox]'));
  await v.page.keyboard.press('Home');
  await cell(v, /^number 9,?999, /).waitFor();
  await v.page.keyboard.press('Delete');
  await v.page.getByRole('button', { name: 'Delete now' }).click();
  await total(v, /^9,999 pictures$/);
  await v.leave();
  await many.remove();
});

test('everybody has a gallery of his own', async () => {
  const shared = new Server();
  await shared.start();
  const token = { ada: shared.user('add', 'ada'), ben: shared.user('add', 'ben') };
  const made = async (who, prompt) => {
    const answer = await fetch(`${shared.url}v1/jobs?wait=50`, { method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token[who]}` },
      body: JSON.stringify({ spec: { ...SMALL, prompt, seed: 1 } }) });
    assert.equal((await answer.json()).state, 'done');
  };
  await made('ada', 'a picture of ada');
  await made('ben', 'the first of ben');
  await made('ben', 'the second of ben');
  const v = await visit(`${shared.url}#token=${token.ben}`);
  await v.page.evaluate(() => { location.hash = '#/gallery'; });
  await total(v, /^2 pictures$/);
  await v.page.waitForFunction(() => [...document.querySelectorAll('.cell img')]
    .filter((image) => image.naturalWidth > 0).length === 2);
  await v.page.click('#who');
  await v.page.getByRole('button', { name: 'Sign out' }).click();
  await v.page.waitForSelector('#signin', { state: 'visible' });
  await v.page.fill('#token', token.ada);
  await v.page.click('#signin-go');
  await total(v, /^1 picture$/);
  await cell(v, /^a picture of ada, /).waitFor();
  assert.equal(await v.page.locator('.cell').count(), 1);
  await v.leave(/status of 401/, /WebSocket/);
  await shared.remove();
});

test('both themes, both languages, 360 pixels', async () => {
  for (const how of [{ colorScheme: 'dark' }, { width: 360, height: 740 },
    { locale: 'zh-CN', width: 360, height: 740, colorScheme: 'dark' }]) {
    const v = await visit(server.url, how);
    await v.page.evaluate(() => { location.hash = '#/gallery'; });
    await v.page.waitForSelector('.cell img');
    await v.axe(`the gallery, ${JSON.stringify(how)}`);
    await v.page.locator('.cell-check').nth(0).click({ force: true });
    await v.page.locator('.cell-check').nth(1).click({ force: true });
    await v.axe(`a selection, ${JSON.stringify(how)}`);
    await v.page.locator('.gallery-tools button').nth(1).click();
    await v.page.waitForFunction(() => document.querySelectorAll('.pane img').length === 2);
    await v.axe(`a comparison, ${JSON.stringify(how)}`);
    await v.page.goBack();
    await v.page.locator('.cell').nth(0).click();
    await v.page.waitForSelector('dialog[open]');
    await v.axe(`details, ${JSON.stringify(how)}`);
    await v.leave();
  }
});
