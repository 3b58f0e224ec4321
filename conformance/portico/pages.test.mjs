// client.js and the Next.js front end's connection in Chromium, behind Apache.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { launch } from "../browser/chromium.mjs";
import { test } from "../server.mjs";
import { hears, sessionId, Site, until } from "./site.mjs";

// The hours of a day in a second: pings of the server, pings in rooms, and the silence after which a page leaves them.
const FAST = 'portico.server_ping = "150ms"\nportico.room_ping = "200ms"\nportico.silence = "1500ms"\n';

let browser, site, fast;
before(async () => {
  [browser, site, fast] = await Promise.all([launch(), Site.start(), Site.start(FAST)]);
});
after(async () => {
  await browser?.close();
  await site?.close();
  await fast?.close();
});

/** A page with client.js in a session by its cookie. */
async function client(t, at, session) {
  const page = await at.page(t, browser, "client", { bookingfrontendsession: session });
  await page.evaluate(() => createWebSocketClient());
  await hears(page, "connected", { roomId: `session_${session}` });
  return page;
}

/** A page of the front end, which has to ask for its session. */
async function front(t, at, session, times) {
  await at.knows(session);
  const page = await at.page(t, browser, "next-client", { theme: "dark" });
  await page.evaluate((times) => void (window.service = startService(times)), times);
  await hears(page, "session_id_required", { code: "NO_SESSION" });
  const confirmed = await hears(page, "session_update_confirmation", { action: "set" });
  assert.deepEqual([confirmed.success, confirmed.sessionId], [true, `${session.slice(0, 8)}...`]);
  return page;
}

const told = (page, name) => page.evaluate((name) => window.told.filter((one) => one.name === name).map((one) => one.detail), name);

/** Everything that is on its way to a page has come: what is said behind it has. */
async function settle(at, page, room) {
  const mark = sessionId();
  await at.say(room, { type: "mark", mark });
  const name = await page.evaluate(() => (window.porticoWsClient ? "message" : "mark"));
  await hears(page, name, { mark });
}

test("a cookie is a session: its room, its user, its applications", async (t) => {
  const session = sessionId();
  const page = await client(t, site, session);
  assert.equal(await page.evaluate(() => porticoWsClient.getStatus()), "OPEN");
  await page.evaluate(() => porticoWsClient.updateUserInfo(123));
  assert.equal((await hears(page, "user_info_updated")).userId, 123);
  const found = await page.evaluate(() => porticoWsClient.getPartialApplications());
  assert.deepEqual([found.error, found.count], [false, 0]);
  await site.say(`session_${session}`, { type: "notification", message: "yours" });
  await hears(page, "notification", { message: "yours" });
  assert.deepEqual(page.faults, []);
});

test("the front end names its session, again and again, and changes it", async (t) => {
  const [first, second] = [sessionId(), sessionId()];
  const page = await front(t, site, first, { heartbeat: 60, renewal: 100, back: 200 });
  await hears(page, "session_update_confirmation", { action: "none" });
  const pong = await hears(page, "pong", { heartbeat_id: "beat-1" });
  assert.match(pong.id, /^pong_[0-9a-f]{13}$/);
  await site.knows(second);
  const changed = await hears(page, "session_update_confirmation", { action: "updated" });
  assert.equal(changed.rooms[0].id, `session_${second}`);
  await site.say(`session_${first}`, { type: "server_message", action: "new", of: "first" });
  await site.say(`session_${second}`, { type: "server_message", action: "new", of: "second" });
  await hears(page, "server_message", { of: "second" });
  assert.equal((await told(page, "server_message")).length, 1, "the room that it left tells it nothing");
  assert.deepEqual(page.faults, []);
});

test("both are in the room of a building, talk there, and hear what the site says", async (t) => {
  const [one, other] = [await client(t, site, sessionId()), await front(t, site, sessionId())];
  await one.evaluate(() => porticoWsClient.sendMessage("subscribe", "", { entityType: "building", entityId: 10 }));
  await hears(one, "message", { type: "subscription_confirmation", status: "subscribed" });
  await other.evaluate(() => service.subscribe("building", 10));
  assert.equal((await hears(other, "room_joined", { roomId: "entity_building_10" })).roomSize, 2);
  await other.evaluate(() => service.send({ type: "room_message", roomId: "entity_building_10", action: "updated" }));
  const heard = await hears(one, "message", { type: "room_message" });
  assert.deepEqual([heard.action, heard.sessionContext.sessionType], ["updated", "booking"]);
  await site.say("entity_building_10", { type: "entity_event", entityType: "building", entityId: 10, action: "changed" });
  await hears(one, "message", { type: "entity_event" });
  await hears(other, "entity_event", { action: "changed" });
});

test("whoever answers stays in a room, and so does whoever never does but shows that it is there", async (t) => {
  const [one, other] = [await client(t, fast, sessionId()), await front(t, fast, sessionId(), { heartbeat: 100, renewal: 60_000, back: 200 })];
  await one.evaluate(() => porticoWsClient.sendMessage("subscribe", "", { entityType: "building", entityId: 7 }));
  await other.evaluate(() => service.subscribe("building", 7));
  await hears(other, "room_joined", { roomId: "entity_building_7" });
  // Longer than the silence after which a page that says nothing is taken out.
  await until("ten pings came in the room", async () => (await told(other, "room_ping")).length >= 10);
  assert.equal(await other.evaluate(() => service.answers()), 0, "it looks for another name");
  const here = async () => (await fast.bell.ask("GET", "/v1/channels/entity_building_7")).subscribers;
  assert.equal(await here(), 2);
  // A browser that lives answers pings even where its page does not; this is one that hangs.
  const hanging = fast.hanging({ type: "subscribe", entityType: "building", entityId: 7 });
  t.after(() => hanging.destroy());
  await until("it is in the room", async () => (await here()) === 3);
  await until("it has left the room", async () => (await here()) === 2);
  assert.deepEqual([one.faults, other.faults], [[], []]);
});

test("a crash and a clean restart: both come back by themselves and have missed nothing", async (t) => {
  const session = sessionId();
  const own = await Site.start();
  t.after(() => own.close());
  const [one, other] = [await client(t, own, session), await front(t, own, sessionId(), { heartbeat: 500, renewal: 60_000, back: 100 })];
  await own.say("portico", { type: "notification", message: "before" });
  await hears(one, "notification", { message: "before" });
  await own.bell.kill();
  await hears(one, "reconnecting");
  await own.bell.again();
  await own.say("portico", { type: "notification", message: "after the crash" });
  await hears(one, "notification", { message: "after the crash" });
  await until("the front end is in its session again", async () => (await told(other, "session_update_confirmation")).length >= 2);
  await own.bell.stop();
  await hears(one, "message", { type: "reconnect_required" });
  await hears(other, "reconnect_required");
  await own.bell.again();
  await own.say(`session_${session}`, { type: "notification", message: "after the stop" });
  await hears(one, "notification", { message: "after the stop" });
  await settle(own, one, "portico");
  const messages = (await told(one, "notification")).map((detail) => detail.message);
  assert.deepEqual(messages, ["before", "after the crash", "after the stop"], "each once");
  assert.deepEqual([one.faults, other.faults], [[], []]);
});
