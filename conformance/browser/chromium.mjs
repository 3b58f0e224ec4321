// A headless Chromium that talks to this machine alone.
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  // A page that a test makes up has no address, and must still reach this machine.
  "--disable-features=LocalNetworkAccessChecks",
];

/** Starts the browser that Debian ships; CHROMIUM names another one. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** A page whose own errors fail the test that opened it. */
export async function open(context, url) {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.faults = errors;
  if (url) await page.goto(url);
  return page;
}
