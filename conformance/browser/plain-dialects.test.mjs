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

/** A page of Portico's panel, connected and in a session. */
async function portico(t, server, session) {
  const page = await visit(t, server);
  if (session) await page.locator("#portico-session").fill(session);
  await page.locator("#portico-connect").click();
  await page.locator("#portico-state", { hasText: "Connected" }).waitFor();
  await log(page, "portico", '"session_update_confirmation"').waitFor();
  return page;
}

const press = (page, button) => page.locator(`#portico-${button}`).click();
/** What the server said, of these words. */
const heard = (page, ...words) =>
  words.reduce((lines, word) => lines.filter({ hasText: word }), page.locator("#portico-log li.heard")).first().waitFor();

test("Portico by hand: chat, notifications, tabs, the user, a building and applications", async (t) => {
  const [ann, bob] = [await portico(t, dev), await portico(t, dev)];
  const tab = await portico(t, dev, await ann.locator("#portico-session").inputValue());
  await ann.locator("#portico-text").fill("from Ann");
  await press(ann, "chat");
  await heard(bob, '"chat"', "from Ann");
  await press(ann, "notify");
  for (const page of [ann, bob]) await heard(page, '"notification"', "from Ann");
  await press(ann, "tabs");
  await heard(tab, '"room_message"', "from Ann");
  assert.equal(await bob.locator("#portico-log li.heard", { hasText: "room_message" }).count(), 0, "not of her session");
  await press(ann, "user-set");
  await heard(ann, '"user_info_update_confirmation"', '"success":true', '"userId":123');
  await press(ann, "enter");
  await heard(ann, '"subscription_confirmation"', '"status":"subscribed"');
  await dev.publish("entity_building_10", { type: "entity_event", action: "changed" });
  await heard(ann, '"entity_event"', '"changed"');
  await press(ann, "leave");
  await heard(ann, '"status":"unsubscribed"');
  await press(ann, "applications");
  await ann.locator("#portico-found", { hasText: "0 applications" }).waitFor();
  await dev.ask("PUT", "/v1/resources/resource:106", { capacity: 1, time_zone: "Europe/Oslo" });
  const start = Math.floor(Date.now() / 3_600_000 + 2) * 3_600_000;
  const holder = `session_${await ann.locator("#portico-session").inputValue()}`;
  await dev.ask("POST", "/v1/holds", { claims: [{ resource: "resource:106", start, end: start + 3_600_000 }], holder });
  for (const page of [ann, tab]) await page.locator("#portico-found", { hasText: "1 applications" }).waitFor();
  await press(ann, "disconnect");
  await ann.locator("#portico-state", { hasText: "Not connected" }).waitFor();
  for (const page of [ann, bob, tab]) assert.deepEqual(page.faults, []);
});

test("Portico by hand in normal mode: what goes to everybody is refused, and the own session works", async (t) => {
  const page = await portico(t, normal);
  await press(page, "chat");
  await heard(page, "RELAY_DISABLED");
  await press(page, "applications");
  await page.locator("#portico-found", { hasText: "0 applications" }).waitFor();
  await normal.publish(`session_${await page.locator("#portico-session").inputValue()}`, { type: "notification", message: "yours" });
  await heard(page, "yours");
  assert.deepEqual(page.faults, []);
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
