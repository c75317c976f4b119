// theme - sets theme and language before the first paint, so that a reload does not flash.
'use strict';
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem('darkroom.theme');
    if (theme === 'dark' || theme === 'light') root.dataset.theme = theme;
    const lang = localStorage.getItem('darkroom.lang');
    if (lang === 'en' || lang === 'zh') root.lang = lang;
    else if (/^zh/i.test(navigator.language)) root.lang = 'zh';
  } catch {
    // storage is forbidden: the page follows the system's settings
  }
})();
