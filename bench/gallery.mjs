// gallery - scrolls the gallery of a running server in Chromium and reads the trace: node
// bench/gallery.mjs http://HOST:PORT. Of each frame the processor time of the page's main thread.

import { launch } from '../test/web/browser.mjs';

const SECONDS = 5;
const CATEGORIES = 'devtools.timeline,disabled-by-default-devtools.timeline.frame,cc,benchmark';
const KINDS = ['FireAnimationFrame', 'UpdateLayoutTree', 'Layout', 'PrePaint', 'Paint'];

/** In the page: scroll by so many pixels a frame; the times between frames. */
async function scroll([px, seconds]) {
  const gaps = [];
  let last = performance.now();
  const end = last + seconds * 1000;
  let [y, way] = [scrollY, 1];
  await new Promise((resolve) => {
    requestAnimationFrame(function next(t) {
      gaps.push(t - last);
      last = t;
      y += px * way;
      if (y < 0 || y > document.documentElement.scrollHeight - 1000) way = -way;
      scrollTo(0, y);
      if (t < end) requestAnimationFrame(next);
      else resolve();
    });
  });
  gaps.sort((a, b) => a - b);
  return { frames: gaps.length, median: gaps[gaps.length >> 1],
    cells: document.querySelectorAll('.cell').length };
}

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(`${process.argv[2]}/#/gallery`);
await page.waitForSelector('.cell img');
const cdp = await page.context().newCDPSession(page);
for (const px of [20, 60, 600]) {
  const events = [];
  const take = ({ value }) => events.push(...value);
  cdp.on('Tracing.dataCollected', take);
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', categories: CATEGORIES });
  const { frames, median, cells } = await page.evaluate(scroll, [px, SECONDS]);
  const over = new Promise((resolve) => { cdp.once('Tracing.tracingComplete', resolve); });
  await cdp.send('Tracing.end');
  await over;
  cdp.off('Tracing.dataCollected', take);
  const { pid, tid } = events.find(({ name }) => name === 'FireAnimationFrame');
  const main = events.filter((e) => e.pid === pid && e.tid === tid && e.ph === 'X');
  const parts = KINDS.map((kind) => main.filter((e) => e.name === kind)
    .reduce((sum, e) => sum + (e.tdur ?? e.dur ?? 0), 0) / 1000 / frames);
  const all = parts.reduce((sum, part) => sum + part, 0);
  console.log(`${px} px a frame: ${(frames / SECONDS).toFixed(0)} frames/s, ${median.toFixed(1)} ms`
    + ` between two, ${cells} cells; main thread ${all.toFixed(1)} ms a frame (`
    + `${KINDS.map((kind, i) => `${kind} ${parts[i].toFixed(1)}`).join(', ')})`);
}
await browser.close();
