// readme - takes the README's picture: the real program with the bundled model, some pictures done,
// some running.
//
//   node test/web/readme.mjs frontend/doc/page.png

import { launch } from './browser.mjs';
import { Server } from './page/server.mjs';

const FIRST = ['a house with a red roof and two trees on a green meadow on a sunny day',
  'a pyramid and two cactuses in the desert on a sunny day',
  'a boat with a red sail on the sea at sunset'];
const SECOND = ['three orange stars on a green background',
  '夜晚的雪地上有一座红色屋顶的房子和两棵松树，天上有满月',
  'a lighthouse by the sea at night'];
const PATIENCE = { timeout: 900_000, polling: 100 };

const server = await new Server('--concurrency', '2').start();
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1440, height: 840 }, colorScheme: 'dark' });
page.setDefaultTimeout(PATIENCE.timeout);
/** All at once, so that they develop side by side. */
const ask = (prompts, seed, steps) => page.evaluate(([prompts, seed, steps]) => {
  const type = (id, value) => {
    const field = document.getElementById(id);
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  type('steps', steps);
  for (const [i, prompt] of prompts.entries()) {
    type('seed', String(seed + i));
    type('prompt', prompt);
    document.getElementById('generate').click();
  }
  type('seed', '');
  type('steps', '20');
}, [prompts, seed, steps]);
process.on('exit', () => server.child.kill('SIGKILL'));
await page.goto(server.url);
await page.waitForSelector(':root[data-connection=open]');
await ask(FIRST, 1, '20');
await page.waitForFunction(() =>
  document.querySelectorAll('.card[data-state=done] img.final').length === 3, null, PATIENCE);
await ask(SECOND, 11, '200'); // slowly, to be seen
await page.waitForFunction(() => {
  const at = [...document.querySelectorAll('.card[data-state=running] .meter')]
    .map((m) => Number(m.getAttribute('aria-valuenow')));
  return at.length === 2 && Math.max(...at) >= 45; // they may take turns
}, null, PATIENCE);
await page.screenshot({ path: process.argv[2] ?? 'page.png' });
await browser.close();
await server.remove();
