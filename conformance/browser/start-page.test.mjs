// The page that a new user sees first: it connects, shows an event, and can be read on every screen.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { Server, test } from "../server.mjs";
import { launch, open } from "./chromium.mjs";

const SHOTS = path.resolve(import.meta.dirname, "../../.work/screenshots");
const SCREENS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

let server, browser;
before(async () => {
  // As a new user starts it: no configuration, no flags.
  server = await Server.start();
  browser = await launch();
  await mkdir(SHOTS, { recursive: true });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

for (const [screen, viewport] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${screen}, ${colorScheme}: connects, shows an event, fits`, async (t) => {
      const context = await browser.newContext({ viewport, colorScheme });
      t.after(() => context.close());
      const page = await open(context, `${server.http}/`);
      await page.getByText("Up and ready").waitFor();
      await page.getByText("Listening on public-lobby").waitFor();
      const said = `Good morning, ${screen} in ${colorScheme}`;
      await server.publish("public-lobby", { text: said }, "hello");
      await page.locator("#events li", { hasText: said }).waitFor();
      const { wide, narrowest } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth - innerWidth,
        narrowest: Math.min(...[...document.querySelectorAll("section")].filter((part) => part.offsetParent).map((part) => part.clientWidth)),
      }));
      assert.ok(wide <= 0, `the page is ${wide} pixels wider than the screen`);
      assert.ok(narrowest > 250, `a part of the page is only ${narrowest} pixels wide`);
      assert.ok((await contrast(page)) >= 4.5, "text and paper are too much alike");
      await page.screenshot({ path: path.join(SHOTS, `start-${screen}-${colorScheme}.png`), fullPage: true });
      assert.deepEqual(page.faults, []);
    });
  }
}

test("everything can be reached by keyboard, and says what it is", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await open(context, `${server.http}/`);
  const reached = [];
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const place = document.activeElement;
      if (place === document.body || place.dataset.reached) return null;
      place.dataset.reached = "yes";
      return place.getAttribute("aria-label") ?? place.textContent.trim();
    });
    if (!here) break;
    reached.push(here);
  }
  const count = await page.locator("a, button, [tabindex='0']").count();
  assert.equal(reached.length, count, `reached: ${reached.join(", ")}`);
  assert.ok(reached.includes("Copy the command"));
});

test("the server goes away and comes back, and the page shows both", async (t) => {
  const own = await Server.start({ config: 'drain = "1s"\n' });
  t.after(() => own.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await open(context, `${own.http}/`);
  await page.getByText("Listening on public-lobby").waitFor();
  await own.stop();
  await page.getByText("Not connected; trying again").waitFor();
  await own.again();
  await own.publish("public-lobby", "while you were away");
  await page.locator("#events li", { hasText: "while you were away" }).waitFor();
  assert.equal(await page.locator("#events li").count(), 1);
  await page.getByText("Listening on public-lobby").waitFor();
});

/** The contrast of the page's text with its ground, from 1 to 21. */
function contrast(page) {
  return page.evaluate(() => {
    const style = getComputedStyle(document.body);
    const light = (colour) => {
      const parts = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
      const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [one, other] = [light(style.color), light(style.backgroundColor)];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
}
