// The page /websocket-test: it fits every screen and the keyboard, its panels do what they say, and all of its tests
// pass in two browsers at once.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { SECRET, Server, test } from "../server.mjs";
import { launch, open } from "./chromium.mjs";

const SHOTS = path.resolve(import.meta.dirname, "../../.work/screenshots");
const SCREENS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

/** A token as the site's backend has it made. */
const token = async (server, user) => (await server.ask("POST", "/v1/tokens", { user })).token;

let dev, normal, browser;
before(async () => {
  dev = await Server.start({ flags: ["--dev"], config: 'drain = "1s"\n' });
  normal = await Server.start({
    config: `drain = "1s"
[[access]]
pattern = "presence-clinic.main"
allow = ["subscribe", "presence", "publish"]
to = "user"
`,
  });
  browser = await launch();
  await mkdir(SHOTS, { recursive: true });
});
after(async () => {
  await browser?.close();
  await dev?.close();
  await normal?.close();
});

/** The page in a browser of its own. */
async function visit(t, server, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  return open(context, `${server.http}/websocket-test`);
}

const log = (page, panel, text) => page.locator(`#${panel}-log li`, { hasText: text });

/** Types in who the page is. */
const identify = (page, ...people) => page.locator("#identities").fill(people.join("\n"));

for (const [screen, viewport] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${screen}, ${colorScheme}: fits, and can be read`, async (t) => {
      const page = await visit(t, dev, { viewport, colorScheme });
      await page.locator("#pusher-connect").click();
      await page.getByText("Connected as").waitFor();
      const { wide, smallest } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth - innerWidth,
        smallest: Math.min(...[...document.querySelectorAll("button, input, select, a")].map((one) => one.getBoundingClientRect().height)),
      }));
      assert.ok(wide <= 0, `the page is ${wide} pixels wider than the screen`);
      assert.ok(smallest >= 32, `something to press is only ${smallest} pixels high`);
      await page.screenshot({ path: path.join(SHOTS, `websocket-test-${screen}-${colorScheme}.png`), fullPage: true });
      assert.deepEqual(page.faults, []);
    });
  }
}

test("everything can be reached by keyboard, says what it is, and shows where the keyboard is", async (t) => {
  const page = await visit(t, normal);
  const wanted = await page.locator("a, button, input, select, textarea, [tabindex='0']").count();
  const reached = [];
  for (let presses = 0; presses <= wanted; presses++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const place = document.activeElement;
      if (place === document.body || place.dataset.reached) return null;
      place.dataset.reached = "yes";
      const label = place.labels?.[0]?.textContent ?? place.getAttribute("aria-label") ?? place.textContent;
      return { label: label.trim(), outline: getComputedStyle(place).outlineStyle };
    });
    if (!here) break;
    reached.push(here);
  }
  assert.equal(reached.length, wanted, `reached: ${reached.map((one) => one.label).join(", ")}`);
  for (const { label, outline } of reached) {
    assert.notEqual(label, "", "something has no name");
    assert.notEqual(outline, "none", `${label} does not show that it has the focus`);
  }
});

test("only the page itself runs on it, and only its own server is reached", async (t) => {
  const page = await visit(t, dev);
  const refused = await page.evaluate(() => new Promise((done) => {
    const refused = new Set();
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
      refused.add(`${effectiveDirective} ${blockedURI}`);
      if (refused.size === 3) done({ planted: window.planted ?? null, refused: [...refused].sort() });
    });
    const script = document.createElement("script");
    script.textContent = "window.planted = true";
    document.head.append(script);
    fetch("http://127.0.0.1:9/").catch(() => {});
    new WebSocket("ws://127.0.0.1:9/");
  }));
  assert.deepEqual(refused, {
    planted: null,
    refused: ["connect-src http://127.0.0.1:9/", "connect-src ws://127.0.0.1:9/", "script-src-elem inline"],
  });
});

test("Socket.IO: rooms, the four kinds of events, and a cut after which nothing is missing", async (t) => {
  const page = await visit(t, dev);
  await page.locator("#sio-connect").click();
  await page.locator("#sio-state", { hasText: "Live" }).waitFor();
  await page.locator("#sio-authenticate").click();
  await log(page, "sio", '"authenticated"').waitFor();
  await page.locator("#sio-join").click();
  await log(page, "sio", '{"answer":{"success":true}}').first().waitFor();
  for (const [button, event] of [["booking", "booking_update"], ["payment", "payment_update"], ["payout", "payout_update"], ["notification", "notification"]]) {
    await page.locator(`#sio-${button}`).click();
    await log(page, "sio", `["${event}",`).waitFor();
  }
  await page.locator("#sio-cut").click();
  await log(page, "sio", "the connection was cut").waitFor();
  await page.locator("#sio-payment").click();
  await log(page, "sio", "back, and nothing was missed").waitFor();
  await log(page, "sio", '["payment_update",').nth(1).waitFor();
  assert.equal(await log(page, "sio", '["payment_update",').count(), 2);
  await page.locator("#sio-leave").click();
  await page.locator("#sio-disconnect").click();
  await page.locator("#sio-state", { hasText: "Not connected" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("Socket.IO: the state is Live, Offline while nobody is there, and Live again", async (t) => {
  const own = await Server.start({ flags: ["--dev"], config: 'drain = "1s"\n' });
  t.after(() => own.close());
  const page = await visit(t, own);
  await page.locator("#sio-connect").click();
  await page.locator("#sio-state", { hasText: "Live" }).waitFor();
  await own.stop();
  await page.locator("#sio-state", { hasText: "Offline" }).waitFor();
  await own.again();
  await page.locator("#sio-state", { hasText: "Live" }).waitFor();
});

test("Socket.IO: where requests go through and sockets do not, it polls", async (t) => {
  const page = await visit(t, dev);
  await page.evaluate(() => (window.WebSocket = class extends WebSocket { constructor() { super(`ws://${location.host}/nowhere`); } }));
  await page.locator("#sio-connect").click();
  await page.locator("#sio-state", { hasText: "Polling" }).waitFor();
});

test("Pusher: channels, who is there, and what clients say to each other, by token", async (t) => {
  const [one, two] = [await visit(t, normal), await visit(t, normal)];
  const channel = "presence-clinic.main";
  for (const [page, user] of [[one, "7"], [two, "9"]]) {
    await identify(page, await token(normal, user));
    await page.locator("#pusher-connect").click();
    await page.locator("#pusher-state", { hasText: "Connected as" }).waitFor();
    await page.locator("#pusher-channel").fill(channel);
    await page.locator("#pusher-subscribe").click();
    await log(page, "pusher", "subscription_succeeded").waitFor();
  }
  await one.locator("#pusher-members", { hasText: "7, 9" }).waitFor();
  await one.locator("#pusher-text").fill("to the other");
  await one.locator("#pusher-say").click();
  await log(two, "pusher", "to the other").waitFor();
  await two.locator("#secret").fill(SECRET);
  await two.locator("#pusher-publish").click();
  await log(one, "pusher", '"greeting"').waitFor();
  await two.locator("#pusher-disconnect").click();
  await one.locator("#pusher-members", { hasText: /: 7$/ }).waitFor({ timeout: 30_000 });
  await one.locator("#pusher-unsubscribe").click();
  await one.locator("#pusher-members", { hasText: "Nobody" }).waitFor();
  // Nobody vouches for somebody without a token, and the page says so.
  const nobody = await visit(t, normal);
  await nobody.locator("#pusher-connect").click();
  await nobody.locator("#pusher-state", { hasText: "Connected as" }).waitFor();
  await nobody.locator("#pusher-channel").fill(channel);
  await nobody.locator("#pusher-subscribe").click();
  await log(nobody, "pusher", `${channel} was refused`).waitFor();
});
