// form - the form's fields, their errors, and submitting, against the fake server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BROKEN_CONNECTION, stage, visit } from './harness.mjs';

const play = stage();
const { url, arrived } = play;

describe('what can go wrong', () => {
  test('each error is a sentence with what to do', async () => {
    const cases = [
      ['please refuse', 'refused',
        /which the model reads as part of a picture\.\s+Remove that word/],
      ['it is full', 'refused', /The queue is full\.\s+Try again in about 12 s\./],
      ['this will fail', 'failed',
        /The device reported an error while denoising\.\s+Try again\. If it keeps failing/],
      ['a timeout', 'failed',
        /It ran for more than 300 s\.\s+Choose fewer steps or a smaller size\./],
    ];
    const v = await visit(url());
    await v.ask(...cases.map(([prompt]) => prompt));
    await arrived(2);
    play.fake.run(1500);
    for (const [prompt, state, sentence] of cases) {
      await v.state(prompt, state);
      assert.match(await v.card(prompt).locator('.errors').innerText(), sentence);
      assert.ok(await v.card(prompt).getByRole('button', { name: /^Try again/ }).isVisible());
    }
    await v.announced(/^Failed: /);
    await v.leave();
  });

  test('try again makes a new job and takes the old card away', async () => {
    const v = await visit(url());
    await v.ask('this will fail');
    await arrived(1);
    play.fake.run(1500);
    await v.state('this will fail', 'failed');
    await v.page.getByRole('button', { name: /^Try again/ }).click();
    await arrived(2);
    await v.cards(1);
    assert.notEqual(play.fake.jobs[0].key, play.fake.jobs[1].key);
    assert.ok(await v.page.evaluate(() => document.activeElement?.closest('.card') !== null),
      'the focus stays with the picture');
    await v.leave();
  });

  test('cancel, running and waiting', async () => {
    const v = await visit(url());
    await v.ask('hold one', 'hold two', 'hold three');
    await arrived(3);
    play.fake.run(600);
    await v.card('hold one').locator('img.shot').first().waitFor();
    for (const words of ['hold three', 'hold one']) {
      await v.card(words).getByRole('button', { name: /^Cancel/ }).click();
      await v.reads('.what', /Cancelling/, words);
      await play.until(() => play.fake.jobs.some((job) => job.spec.prompt === words && job.cancel));
      play.fake.run(50);
      await v.state(words, 'cancelled');
    }
    await v.reads('.errors', /You stopped this picture/, 'hold one');
    assert.equal(await v.card('hold one').locator('.print img').count(), 0, 'nor its last preview');
    assert.deepEqual(play.fake.jobs.map((j) => j.state), ['cancelled', 'running', 'cancelled']);
    await v.leave();
  });

  test('every legal size can be typed; an illegal one has an error with the nearest legal one',
      async () => {
    play.fake.sizes = [[256, 256], [128, 128]];
    const v = await visit(url());
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    const faces = () => v.page.locator('.size-face').allInnerTexts();
    assert.deepEqual(await faces(), ['256 × 256', '128 × 128'],
      'the server says which sizes suit the model');
    await v.page.fill('#prompt', 'a lighthouse');
    const faults = [
      ['250', '256', 'width',
        /^The width must be a multiple of 32 from 64 to 512\. The nearest is 256\.$/],
      ['', '256', 'width', /^The width must be/],
      ['256', '1000', 'height', /^The height .* The nearest is 512\.$/],
      ['96', '512', 'height',
        /^The height may be at most 4 times the other side\. Use 384 or less\.$/],
    ];
    for (const [width, height, blamed, words] of faults) {
      await v.page.fill('#width', width);
      await v.page.fill('#height', height);
      await v.page.click('#generate');
      await v.reads('#side-error', words);
      assert.equal(await v.page.evaluate(() => document.activeElement.id), blamed);
      assert.equal(await v.page.getAttribute(`#${blamed}`, 'aria-invalid'), 'true');
    }
    assert.equal(play.fake.submits.length, 0);
    await v.page.fill('#width', '96');
    await v.page.fill('#height', '320');
    assert.equal(await v.page.locator('#side-error').isVisible(), false);
    assert.deepEqual(await faces(), ['256 × 256', '128 × 128', '96 × 320']);
    await v.page.click('#generate');
    await arrived(1);
    assert.deepEqual([play.fake.jobs[0].spec.width, play.fake.jobs[0].spec.height], [96, 320]);
    await v.page.locator('.size', { hasText: '128 × 128' }).click();
    assert.deepEqual([await v.page.inputValue('#width'), await v.page.inputValue('#height')],
      ['128', '128']);
    await v.leave();
  });

  test('a size below what the model was made for is warned of, and can be sent', async () => {
    const v = await visit(url());
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    assert.equal(await v.page.isVisible('#size-small'), false);
    await v.page.fill('#width', '224');
    await v.reads('#size-small', /^This model was made for 256 × 256 and more\. Below that it/);
    await v.axe('a small size');
    await v.page.fill('#height', '320');
    await v.page.waitForSelector('#size-small', { state: 'hidden' });
    await v.page.fill('#height', '64');
    await v.reads('#size-small', /256 × 256/);
    await v.ask('a small lighthouse');
    await arrived(1);
    assert.deepEqual([play.fake.jobs[0].spec.width, play.fake.jobs[0].spec.height], [224, 64]);
    await v.leave();
  });

  test('what only the server finds wrong is shown beside the field', async () => {
    const v = await visit(url());
    await v.ask('please refuse');
    await v.reads('#prompt-error', /which the model reads as part of a picture\. Remove that word/);
    assert.equal(await v.page.getAttribute('#prompt', 'aria-invalid'), 'true');
    await v.leave();
  });

  test('an empty prompt and illegal numbers have an error beside them, and nothing is sent',
      async () => {
    const v = await visit(url());
    await v.page.click('#generate');
    assert.equal(await v.text('#prompt-error'), 'Write what you want to see first.');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    await v.page.fill('#prompt', 'x');
    assert.equal(await v.page.locator('#prompt-error').isVisible(), false);
    const faults = [['steps', '0', 'Steps must be a whole number from 1 to 200.'],
      ['guidance', '21', 'Guidance goes from 0 to 20.'],
      ['seed', '-5', /^The seed must be a whole number from 0 to/],
      ['noise_seed', '1.5', /^The noise seed must be a whole number from 0 to/]];
    for (const [field, value, words] of faults) {
      await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
      const kept = await v.page.inputValue(`#${field}`);
      await v.page.fill(`#${field}`, value);
      await v.page.click('#generate');
      await v.reads(`#${field}-error`, typeof words === 'string'
        ? new RegExp(`^${words.replaceAll('.', '\\.')}$`) : words);
      assert.equal(await v.page.getAttribute(`#${field}`, 'aria-invalid'), 'true');
      assert.equal(await v.page.evaluate(() => document.activeElement.id), field);
      await v.page.fill(`#${field}`, kept);
    }
    assert.equal(play.fake.submits.length, 0);
    await v.page.fill('#prompt', '界'.repeat(5462));
    await v.page.click('#generate');
    await v.reads('#prompt-error', /16,386 bytes, and 16,384 are allowed/);
    await v.leave();
  });

  test('a prompt that cannot be sent has an error beside it, and the character is selected',
      async () => {
    const v = await visit(url());
    const paste = (words) => v.page.evaluate((words) => {
      const prompt = document.getElementById('prompt');
      prompt.value = words;
      prompt.dispatchEvent(new Event('input', { bubbles: true }));
    }, words);
    const selected = () => v.page.evaluate(() => {
      const { selectionStart, selectionEnd } = document.getElementById('prompt');
      return [selectionStart, selectionEnd];
    });
    for (const [words, error, range] of [
      ['  a light\0house', /cannot be sent \(U\+0000\)\. It is selected: delete it\.$/, [9, 10]],
      ['a boat \ud83d', /cannot be sent \(U\+D83D\)/, [7, 8]],
      ['\u200b\u3164', /^The prompt has no character that can be seen\./, null],
      ['\u3000', /^Write what you want to see first\.$/, null],
      [`x${'\x01'.repeat(12_000)}`, /^The prompt is too long: [\d,]+ bytes, and [\d,]+ are/,
        null],
    ]) {
      await paste(words);
      await v.page.click('#generate');
      await v.reads('#prompt-error', error);
      if (range) assert.deepEqual(await selected(), range);
    }
    await paste('a light\0house');
    await v.page.click('#generate');
    await v.page.keyboard.press('Delete');
    await v.page.click('#generate');
    await arrived(1);
    assert.equal(play.fake.jobs[0].spec.prompt, 'a lighthouse');
    await v.leave();
  });

  test('a picture that is gone from the server', async () => {
    const v = await visit(url());
    await v.ask('a lighthouse');
    await arrived(1);
    play.fake.run(2000);
    await v.card('a lighthouse').locator('img.final').waitFor();
    play.fake.jobs = [];
    await v.page.reload();
    await v.reads('.errors', /The picture file is not on the server any more/);
    await v.leave(/404/);
  });

  test('markup in a prompt is text', async () => {
    const v = await visit(url());
    const nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>{n}';
    await v.ask(nasty);
    await arrived(1);
    play.fake.run(2000);
    await v.state('<script>', 'done');
    assert.equal(await v.text('.prompt-line'), nasty);
    await v.page.locator('.open').click();
    assert.equal(await v.text('#viewer-title'), nasty);
    assert.equal(await v.page.locator('.card script, .card [onerror], #viewer script').count(), 0);
    assert.ok(!['1', '2'].includes(await v.page.title()));
    await v.leave();
  });
});

describe('the form', () => {
  test('the first visit: the prompt has the focus, an example is one click from a picture',
      async () => {
    const v = await visit(url());
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    const papers = v.page.locator('.paper');
    assert.equal(await papers.count(), 6, 'the server says what suits the model');
    assert.equal((await papers.first().innerText()).trim(), 'a red circle on a blue background');
    await papers.first().click();
    await arrived(1);
    assert.equal(play.fake.jobs[0].spec.prompt, 'a red circle on a blue background');
    assert.equal(await v.page.inputValue('#prompt'), 'a red circle on a blue background',
      'so that it can be changed');
    await v.cards(1);
    assert.equal(await papers.first().isVisible(), false);
    assert.ok(await v.page.evaluate(() => document.activeElement?.closest('.card') !== null),
      'the focus follows the picture');
    await v.page.locator('#examples summary').click();
    await v.page.locator('.example').nth(1).click();
    assert.equal(await v.page.inputValue('#prompt'), 'a boat with a red sail on the sea at sunset');
    assert.equal(await v.page.evaluate(() => document.activeElement.id), 'prompt');
    await v.leave();
  });

  test('a server that still loads: the form is as it was, and a submit is sent after hello',
      async () => {
    const v = await visit(url());
    play.fake.mute = true;
    await v.page.reload();
    assert.equal(await v.page.locator('.size').count(), 4);
    assert.equal(await v.page.locator('.paper').count(), 6);
    await v.reads('#notice-text', /^Connecting to the server\. You can type already/);
    await v.ask('a lighthouse');
    await v.reads('.what', /^Waits for the connection$/);
    play.fake.unmute();
    await arrived(1);
    await v.reads('#connection-text', /^Connected$/);
    await v.leave();
  });

  test('the button never waits, and Ctrl+Enter works from anywhere', async () => {
    const v = await visit(url());
    await v.page.fill('#prompt', 'hold');
    await v.page.evaluate(() => {
      for (let i = 0; i < 5; i++) document.getElementById('generate').click();
    });
    await v.cards(5);
    await arrived(5);
    await v.page.evaluate(() => document.activeElement.blur());
    await v.page.keyboard.press('Control+Enter');
    await arrived(6);
    assert.equal(new Set(play.fake.jobs.map((job) => job.key)).size, 6);
    await v.leave();
  });

  test('the quote follows the queue down to its end', async () => {
    const v = await visit(url());
    await v.ask('hold one', 'hold two', 'hold three');
    await arrived(3);
    play.fake.run(100);
    await v.page.fill('#prompt', 'a lighthouse');
    await v.reads('#quote', /^3 pictures are ahead\./);
    for (const [i, words] of [/^2 pictures are ahead\./, /^Starts right away/].entries()) {
      play.fake.jobs[i].cancel = true;
      play.fake.run(50);
      await v.reads('#quote', words);
    }
    play.fake.jobs[2].cancel = true;
    play.fake.run(50);
    await v.reads('#counts', /0\s+Running\s+0\s+Waiting|Running\s+0\s+Waiting\s+0/);
    await v.reads('#quote', /^Starts right away, ready in about 1 s\.$/);
    await v.leave();
  });

  test('the quote before a submit; the dice; the seed is used; settings survive a reload',
      async () => {
    const v = await visit(url());
    await v.page.fill('#prompt', 'a lighthouse');
    await v.reads('#quote', /^Starts right away, ready in about 1 s\.$/);
    await v.page.evaluate(() => { document.getElementById('advanced').open = true; });
    await v.page.click('#dice');
    const first = await v.page.inputValue('#seed');
    await v.page.click('#dice');
    const seed = await v.page.inputValue('#seed');
    assert.match(first, /^\d+$/);
    assert.notEqual(seed, first);
    await v.page.locator('.size', { hasText: '256 × 384' }).click();
    await v.page.fill('#steps', '9');
    await v.page.fill('#guidance', '3');
    await v.page.reload();
    await v.page.waitForSelector(':root[data-connection=open]');
    await v.reads('#advanced-now', new RegExp(`^9 steps · guidance 3 · seed ${seed}$`));
    assert.equal(await v.page.locator('.size input:checked').getAttribute('value'), '256x384');
    await v.page.click('#generate');
    await arrived(1);
    assert.deepEqual(play.fake.jobs[0].spec,
      { prompt: 'a lighthouse', width: 256, height: 384, steps: 9, guidance: 3,
      seed: Number(seed) });
    const { port } = play.fake;
    await play.fake.stop();
    await v.page.waitForSelector(':root[data-connection=lost]');
    play.fake.model = 'another';
    await play.fake.start(port);
    await v.reads('#model', /^another on CPU$/);
    await v.reads('#advanced-now', /^20 steps · guidance 1\.5/);
    assert.equal(await v.page.locator('.size input:checked').getAttribute('value'), '256x256',
      'another model has its own settings');
    assert.equal(await v.page.inputValue('#prompt'), 'a lighthouse');
    await v.leave(BROKEN_CONNECTION);
  });
});
