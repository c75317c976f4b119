// wording - help with the prompt: how the model reads it, what was used, styles, long texts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage, visit } from './harness.mjs';
import { Server } from './server.mjs';

const play = stage();
const { url, arrived } = play;
const prompt = (v) => v.page.inputValue('#prompt');
const letters = (v) => v.page.locator('.letter').allTextContents();

test('quoted text is shown as chips, and the tokens are counted, by the server alone', async () => {
  const server = await new Server().start();
  try {
    const v = await visit(server.url);
    await v.page.fill('#prompt', 'a sign “火”, it\'s a cat\'s "HOME"');
    await v.page.waitForFunction(() => document.querySelectorAll('.letter').length === 3);
    assert.deepEqual(await letters(v), ['s a cat', '火', 'HOME'], 'the model\'s rule');
    const asked = await fetch(`${server.url}v1/quote`, { method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ spec: { prompt: await prompt(v) } }) }).then((r) => r.json());
    assert.equal(await v.text('#tokens'), `${asked.tokens} tokens`);
    await v.axe('chips');
    await v.page.fill('#prompt', 'a red circle');
    await v.page.waitForSelector('#lettering', { state: 'hidden' });
    await v.page.fill('#prompt', '');
    await v.page.waitForSelector('#reading', { state: 'hidden' });
    await v.leave();
  } finally {
    await server.remove();
  }
});

test('up and down go through the prompts that were used, and back to what was typed', async () => {
  const v = await visit(url());
  await v.ask('the first one', 'the second one\nof two lines');
  await arrived(2);
  await v.page.fill('#prompt', 'typed');
  await v.page.press('#prompt', 'ArrowUp');
  assert.equal(await prompt(v), 'typed', 'the caret is at the end: it moves');
  await v.page.press('#prompt', 'Home');
  await v.page.press('#prompt', 'ArrowUp');
  assert.equal(await prompt(v), 'the second one\nof two lines');
  await v.page.press('#prompt', 'ArrowUp');
  assert.equal(await prompt(v), 'the first one');
  await v.page.press('#prompt', 'ArrowUp');
  assert.equal(await prompt(v), 'the first one');
  await v.page.press('#prompt', 'End');
  await v.page.press('#prompt', 'ArrowDown');
  await v.page.press('#prompt', 'ArrowDown');
  assert.equal(await prompt(v), 'typed');
  await v.page.reload();
  await v.page.focus('#prompt');
  await v.page.press('#prompt', 'Control+Home');
  await v.page.press('#prompt', 'ArrowUp');
  assert.equal(await prompt(v), 'the second one\nof two lines', 'after a reload');
  await v.leave();
});

test('styles: saved, put behind the prompt, taken off, removed; by keyboard', async () => {
  const v = await visit(url());
  await v.page.fill('#prompt', 'a house');
  await v.page.locator('#styles summary').click();
  for (const words of ['in oil', 'soft morning light']) {
    await v.page.fill('#style-new', words);
    await v.page.press('#style-new', 'Enter');
  }
  assert.deepEqual(await v.page.locator('.style-use').allTextContents(),
    ['soft morning light', 'in oil']);
  assert.equal(play.fake.submits.length, 0, 'Enter saves, and asks for nothing');
  const style = v.page.getByRole('button', { name: 'in oil', exact: true });
  await style.press('Enter');
  assert.equal(await prompt(v), 'a house, in oil');
  assert.equal(await style.getAttribute('aria-pressed'), 'true');
  await v.axe('styles');
  await style.press('Enter');
  assert.equal(await prompt(v), 'a house');
  await v.page.getByRole('button', { name: 'Remove the style: in oil' }).press('Enter');
  assert.deepEqual(await v.page.locator('.style-use').allTextContents(), ['soft morning light']);
  assert.equal(await v.page.evaluate(() => document.activeElement.dataset.style),
    'soft morning light');
  await v.leave();
});

test('a text of 16 KB is pasted quickly; right to left and emoji stay whole', async () => {
  const v = await visit(url());
  const long = 'a house and a tree; '.repeat(819);
  const spent = await v.page.evaluate((long) => {
    const field = document.getElementById('prompt');
    const times = [];
    for (let i = 0; i < 20; i++) {
      const from = performance.now();
      field.focus();
      field.setSelectionRange(0, field.value.length);
      document.execCommand('insertText', false, long + i % 10);
      document.body.getBoundingClientRect();
      times.push(performance.now() - from);
    }
    return times.sort((a, b) => a - b)[10];
  }, long);
  assert.ok(spent < 100, `${spent} ms for one of twenty, in the median`);
  console.log(`# a paste of 16 KB takes ${Math.round(spent)} ms`);
  await v.page.keyboard.press('Control+Enter');
  await arrived(1);
  assert.equal(play.fake.submits[0].spec.prompt.length, long.length + 1);
  for (const words of ['منارة بجانب البحر "في الليل"', 'שלט "בית"', '👩‍👩‍👧‍👦 in a 🏠 "🎈"']) {
    await v.page.fill('#prompt', words);
    await v.page.waitForFunction((words) => {
      const letters = Array.from(document.querySelectorAll('.letter'), (e) => e.textContent);
      return letters.length === 1 && words.includes(`"${letters[0]}"`);
    }, words);
    await v.page.keyboard.press('Control+Enter');
    await v.page.waitForFunction((words) => [...document.querySelectorAll('.card .prompt-line')]
      .some((line) => line.textContent === words), words);
  }
  const right = await v.page.evaluate(() => getComputedStyle([...document
    .querySelectorAll('.prompt-line')].find((e) => e.textContent.includes('שלט'))).direction);
  assert.equal(right, 'rtl');
  await v.axe('right to left');
  await v.leave();
});

test('who signs out, or another user, finds none of the words of the last one', async () => {
  const server = await new Server().start();
  try {
    const token = server.user('add', 'ada');
    const v = await visit(`${server.url}#token=${token}`, { open: false });
    await v.page.waitForSelector(':root[data-connection=open] #room');
    await v.page.locator('#styles summary').click();
    await v.page.fill('#style-new', 'a secret style');
    await v.page.press('#style-new', 'Enter');
    await v.ask('a secret prompt');
    await v.cards(1);
    await v.page.click('#who');
    await v.page.click('#signout');
    await v.page.waitForSelector(':root[data-connection=locked] #signin');
    assert.doesNotMatch(await v.page.evaluate(() => JSON.stringify({ ...localStorage })), /secret/);
    await v.leave(/status of 401/);
  } finally {
    await server.remove();
  }
});
