// icons - makes the page's icons of PNG from icon.svg, whose edges a launcher may cut.
//
//   node test/web/icons.mjs

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const PAGE = fileURLToPath(new URL('../../frontend/', import.meta.url));
const svg = await readFile(`${PAGE}icon.svg`, 'utf8');
const browser = await launch();
for (const [name, size, share] of [['icon-192', 192, 1], ['icon-512', 512, 1],
    ['icon-maskable', 512, 0.72]]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const back = share < 1 ? '#130e0d' : 'transparent';
  const side = Math.round(size * share);
  await page.setContent(`<style>body{margin:0;display:grid;place-content:center;
    height:${size}px;background:${back}}img{display:block}</style><img width="${side}"
    height="${side}" src="data:image/svg+xml,${encodeURIComponent(svg)}">`);
  await page.locator('img').evaluate((img) => img.decode());
  await page.screenshot({ path: `${PAGE}${name}.png`, omitBackground: share === 1 });
  await page.close();
}
await browser.close();
