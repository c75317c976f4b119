// @ts-check
// offline - opens the page again as soon as the server answers.
'use strict';
(() => {
  const ASK_MS = 5000;
  const again = () => location.reload();
  const ask = () => {
    fetch('healthz', { cache: 'no-store' }).then((answer) => answer.ok && again(), () => {});
  };
  document.getElementById('again')?.addEventListener('click', again);
  addEventListener('online', ask);
  setInterval(ask, ASK_MS);
})();
