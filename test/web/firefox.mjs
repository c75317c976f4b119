// firefox - Debian's own Firefox under puppeteer-core, by WebDriver BiDi.

import puppeteer from 'puppeteer-core';

export const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

export function launchFirefox() {
  return puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true,
    protocolTimeout: 120_000,
    extraPrefsFirefox: { 'datareporting.policy.dataSubmissionEnabled': false,
      'app.update.enabled': false, 'intl.accept_languages': 'en-US', 'ui.prefersReducedMotion': 1,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'browser.safebrowsing.downloads.remote.enabled': false } });
}
