// shots - screenshots of the page at three widths and in both themes, to look at.
//
//   node test/web/shots.mjs FOLDER [SCENE ...]      against the fake server; scenes are below

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { Fake } from './fake.mjs';

const folder = process.argv[2] ?? 'shots';
const wanted = process.argv.slice(3);
const SIZES = [[360, 780], [768, 1024], [1440, 900]];
const THEMES = ['dark', 'light'];

const ask = async (page, ...prompts) => {
  for (const prompt of prompts) {
    await page.fill('#prompt', prompt);
    await page.keyboard.press('Control+Enter');
  }
};

/** Each starts on a fresh page; the fake server's time stands still until tick(). */
const SCENES = {
  empty: async () => {},
  hanzi: async ({ page }) => page.click('#language'),
  busy: async ({ page, fake }) => {
    await ask(page, 'a red circle on a blue background', 'a lighthouse by the sea at night',
      'a pyramid in the desert, timeout', 'a boat with a red sail on the sea at sunset',
      'a house with a red roof and two trees on a green meadow ' +
        'under a very wide blue sky with one small white cloud',
      'three orange stars on a green background');
    for (let i = 0; i < 128; i++) fake.tick(50);
    await page.fill('#prompt', '');
  },
  form: async ({ page, fake }) => {
    await ask(page, 'a red circle on a blue background');
    for (let i = 0; i < 50; i++) fake.tick(50);
    await page.locator('#advanced summary').click();
    await page.fill('#steps', '900');
    await page.fill('#prompt', 'a lighthouse');
    await page.keyboard.press('Control+Enter');
  },
  chinese: async ({ page, fake }) => {
    await page.click('#language');
    await ask(page, '夜晚的雪地里有一个雪人', '海边的灯塔', '日落时海上的红帆船', 'a fail');
    for (let i = 0; i < 130; i++) fake.tick(50);
  },
  errors: async ({ page, fake }) => {
    await ask(page, 'please refuse this', 'the queue is full', 'this will fail',
      'a long one, timeout');
    for (let i = 0; i < 90; i++) fake.tick(50);
    await ask(page, 'hold this', 'hold that', 'and wait behind it');
    for (let i = 0; i < 90; i++) fake.tick(50);
    await page.locator('.card[data-state=queued] button:has-text("Cancel")').first().click();
    await page.waitForTimeout(100);
    fake.tick(50);
  },
  lost: async ({ page, fake }) => {
    await ask(page, 'hold a red circle', 'a lighthouse by the sea at night');
    for (let i = 0; i < 70; i++) fake.tick(50);
    await page.waitForTimeout(300);
    await fake.stop();
    await page.waitForTimeout(2600);
    await ask(page, 'a picture asked for without a server');
  },
  many: async ({ page, fake }) => {
    await page.evaluate(() => { document.getElementById('advanced').open = false; });
    const subjects = ['a red heart', 'a boat at sunset', 'a house in the snow', 'a lighthouse'];
    await ask(page, ...Array.from({ length: 30 },
      (_, i) => `picture number ${i + 1}: ${subjects[i % 4]}`));
    for (let i = 0; i < 1100; i++) fake.tick(50);
    await page.waitForTimeout(1500);
  },
  strange: async ({ page, fake }) => {
    await page.locator('.size', { hasText: '512 × 512' }).click();
    const long = 'with a house and a tree and a boat and the sea and a mountain and the moon, ';
    await ask(page, `a very long prompt ${long.repeat(60)}`);
    await page.locator('.size', { hasText: '384 × 256' }).click();
    await ask(page, 'منارة بجانب البحر في الليل تحت قمر مكتمل', 'Sesquipedaliophobia'.repeat(12));
    await page.locator('#advanced summary').click();
    await page.fill('#width', '96');
    await page.fill('#height', '320');
    await ask(page, '日の出の海の上のヨット', '"HOME" on a sign', '夜晚的雪地里有一个雪人');
    for (let i = 0; i < 330; i++) fake.tick(50);
    await page.waitForTimeout(800);
  },
  side: async ({ page }) => {
    await page.locator('#advanced summary').click();
    await page.fill('#width', '250');
    await page.fill('#seed', 'abc');
    await page.fill('#guidance', '77');
    await ask(page, 'a lighthouse');
  },
  restarted: async ({ page, fake }) => {
    await ask(page, 'a red circle on a blue background', 'a lighthouse by the sea at night',
      'three orange stars');
    for (let i = 0; i < 70; i++) fake.tick(50);
    const { port } = fake;
    await fake.stop();
    await page.waitForSelector(':root[data-connection=lost]');
    await fake.start(port);
    await page.waitForSelector(':root[data-connection=open]');
    for (let i = 0; i < 10; i++) fake.tick(50);
  },
  viewer: async ({ page, fake }) => {
    await ask(page, 'a boat with a red sail on the sea at sunset',
      'three orange stars on a green background');
    for (let i = 0; i < 250; i++) fake.tick(50);
    await page.waitForSelector('.card[data-state=done] img.final');
    await page.locator('.open').first().click();
  },
};

await mkdir(folder, { recursive: true });
const browser = await launch();
for (const scene of wanted.length ? wanted : Object.keys(SCENES)) {
  for (const [width, height] of SIZES) {
    const fake = await new Fake({ manual: true, pace: 0.25 }).start();
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: 'dark',
      reducedMotion: 'reduce' });
    page.on('console', (m) => ['error', 'warning'].includes(m.type())
      && console.log(scene, width, m.text()));
    page.on('pageerror', (e) => console.log(scene, width, e.stack));
    await page.goto(`http://127.0.0.1:${fake.port}/`);
    await page.waitForSelector(':root[data-connection=open]');
    await SCENES[scene]({ page, fake });
    await page.waitForTimeout(500);
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.waitForTimeout(60);
      await page.screenshot({ path: join(folder, `${scene}-${width}-${colorScheme}.png`),
        fullPage: scene !== 'viewer' && width < 1000 });
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) console.log(`${scene} ${width}: scrolls sideways by ${wide}px`);
    await page.close();
    await fake.stop().catch(() => {});
  }
}
await browser.close();
