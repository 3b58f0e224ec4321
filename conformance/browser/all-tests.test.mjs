// "Run all tests" on /websocket-test, in two browsers at once and several times: all pass, every time.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { Server, test } from "../server.mjs";
import { launch, open } from "./chromium.mjs";

const SHOTS = path.resolve(import.meta.dirname, "../../.work/screenshots");
const RUNS = process.env.DESKBELL_TEST_FULL ? 100 : 5;
const TESTS = 19;

let server, browsers;
before(async () => {
  server = await Server.start({ flags: ["--dev"] });
  browsers = await Promise.all([launch(), launch()]);
  await mkdir(SHOTS, { recursive: true });
});
after(async () => {
  for (const browser of browsers ?? []) await browser.close();
  await server?.close();
});

/** Runs all tests on a page; gives its verdict, and what did not pass. */
async function runAll(page) {
  await page.locator("#run").click();
  await page.locator("#verdict", { hasText: "passed" }).waitFor();
  const rest = await page.locator("#results tr:not(.passed)").allTextContents();
  return [await page.locator("#verdict span:last-child").textContent(), ...rest];
}

const GOOD = [`${TESTS} of ${TESTS} passed`];

for (let run = 1; run <= RUNS; run++) {
  test(`two browsers, run ${run}`, async () => {
    const pages = await Promise.all(browsers.map((browser) => open(browser, `${server.http}/websocket-test`)));
    const results = await Promise.all(pages.map(runAll));
    assert.deepEqual(results, [GOOD, GOOD]);
    for (const page of pages) {
      assert.equal(await page.locator("#errors").textContent(), "0");
      assert.deepEqual(page.faults, []);
      await page.close();
    }
  });
}

for (const [screen, viewport] of Object.entries({ desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } })) {
  test(`${screen}: by keyboard, and everything that was found fits`, async () => {
    const page = await browsers[0].newPage({ viewport, colorScheme: screen === "phone" ? "dark" : "light" });
    await page.goto(`${server.http}/websocket-test`);
    await page.locator("#run").focus();
    await page.keyboard.press("Enter");
    await page.locator("#verdict", { hasText: "passed" }).waitFor();
    assert.equal(await page.locator("#verdict span:last-child").textContent(), GOOD[0]);
    // Whoever came by keyboard is still where it was.
    assert.equal(await page.evaluate(() => document.activeElement.id), "run");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
    assert.ok((await page.locator("#plot circle").count()) > 50, "the plot shows latencies");
    await page.screenshot({ path: path.join(SHOTS, `all-tests-${screen}.png`), fullPage: true });
    await page.close();
  });
}
