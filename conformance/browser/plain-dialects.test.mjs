// The panels of /websocket-test for AppointEase and Portico, and its tests in normal mode.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { Server, test } from "../server.mjs";
import { launch, open } from "./chromium.mjs";

let dev, normal, browser;
before(async () => {
  dev = await Server.start({ flags: ["--dev"] });
  normal = await Server.start({ config: '[appointease]\ntime_zone = "Europe/Oslo"\n' });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await dev?.close();
  await normal?.close();
});

async function visit(t, server) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return open(context, `${server.http}/websocket-test`);
}

const log = (page, panel, text) => page.locator(`#${panel}-log li`, { hasText: text });
const token = async (user) => (await normal.ask("POST", "/v1/tokens", { user })).token;

async function verdict(page) {
  await page.locator("#run").click();
  await page.locator("#verdict", { hasText: "passed" }).waitFor();
  const rest = await page.locator("#results tr:not(.passed) th").allTextContents();
  return [await page.locator("#verdict span:last-child").textContent(), ...rest];
}

test("normal mode: with a token everything passes; the visitor is the second person", async (t) => {
  const page = await visit(t, normal);
  await page.locator("#identities").fill(await token("ann"));
  assert.deepEqual(await verdict(page), ["19 of 19 passed"]);
});

test("normal mode: without anything, what needs two people or a name is not run, and is not called passed", async (t) => {
  const page = await visit(t, normal);
  assert.deepEqual(await verdict(page), ["15 of 19 passed, 4 not run", "Watch appointments", "Slot conflict", "Double booking", "Race"]);
});

test("AppointEase by hand: every button, also the wrong ones, and the connection stays", async (t) => {
  const page = await visit(t, dev);
  await page.locator("#hand-email").fill("ann@example.org");
  await page.locator("#hand-connect").click();
  await log(page, "hand", '"clientId":"ann@example.org"').waitFor();
  for (const [button, answer] of [
    ["ping", '"pong"'], ["lock", '"slot_locked"'], ["check", '"unavailable":["10:00"]'], ["unlock", '"slot_unlocked"'],
    ["select", '"selection_confirmed"'], ["subscribe", '"update"'], ["debug", '"debug_info"'],
    ["past", '"date":"2020-01-01"'], ["quick", "5 connections were greeted"], ["wrong", "Unknown message type: no_such_thing"],
  ]) {
    await page.locator(`#hand-${button}`).click();
    await log(page, "hand", answer).first().waitFor();
  }
  await page.locator("#hand-large").click();
  await log(page, "hand", '"pong"').nth(1).waitFor();
  await page.locator("#hand-state", { hasText: "Connected" }).waitFor();
  assert.deepEqual(page.faults, []);
});
