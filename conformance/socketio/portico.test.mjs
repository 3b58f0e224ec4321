// PorticoEstate's present client: a path behind its proxy, cookies, and one event `message` in both directions.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import WebSocket from "ws";

import { test } from "../server.mjs";
import { CONFIG, Site, connected, cut, tokenOf, until } from "./people.mjs";

const ENTITIES = `
[[access]]
pattern = "entity_building_*"
allow = ["subscribe", "publish"]
to = "everyone"
`;

let site;
before(async () => (site = await Site.start({ config: CONFIG + ENTITIES })));
after(() => site.close());

/** A page as its hook has it: it keeps every message, answers signs of life, and enters its rooms whenever it connects. */
class Page {
  constructor(session, { path = "/wss/socket.io", rooms = [], ...options } = {}) {
    this.messages = [];
    this.connects = 0;
    this.socket = site.client({
      path, transports: ["polling", "websocket"], withCredentials: true,
      extraHeaders: session ? { cookie: `bookingfrontendsession=${session}` } : {}, ...options,
    });
    this.socket.on("message", (message) => {
      this.messages.push(message);
      if (message.type === "server_ping") this.say({ type: "pong", timestamp: new Date().toISOString() });
    });
    this.socket.on("connect", () => {
      this.connects++;
      for (const entityId of rooms) this.say({ type: "subscribe", entityType: "building", entityId });
    });
  }

  say(message) {
    this.socket.emit("message", message);
  }

  /** Messages of a type, each once: one that comes a second time has the same id. */
  of(type) {
    const own = this.messages.filter((message) => message.type === type);
    return own.filter(({ id }, at) => id === undefined || own.findIndex((other) => other.id === id) === at);
  }

  async hears(type, count = 1) {
    await until(`${count} of ${type}`, () => this.of(type).length >= count);
    return this.of(type).at(-1);
  }
}

const session = (name) => `${name}-0123456789abcdef`;

for (const [where, path] of Object.entries({ "behind its prefix": "/wss/socket.io", "where a proxy has taken it off": "/socket.io" })) {
  test(`${where}: polling first, then a WebSocket, and every message as over the older one`, async () => {
    const own = session(`path${path.length}`);
    const page = new Page(own, { path });
    await connected(page.socket);
    await until("the WebSocket", () => page.socket.io.engine.transport.name === "websocket");
    const joined = await page.hears("room_joined");
    assert.deepEqual([joined.roomId, joined.roomType, joined.roomSize], [`session_${own}`, "session", 1]);
    assert.deepEqual((await page.hears("connection_success")).rooms, [{ id: `session_${own}`, size: 1, type: "session" }]);
    page.say({ type: "ping", id: 7, heartbeat_id: "h" });
    const pong = await page.hears("pong");
    assert.deepEqual([pong.reply_to, pong.heartbeat_id], [7, "h"]);
    page.say({ type: "chat", message: "to all" });
    assert.equal((await page.hears("error")).code, "RELAY_DISABLED");
    assert.ok(page.socket.connected);
  });
}

test("a case from the first form to the answer, in two tabs, over a connection that breaks in the middle", async () => {
  const own = session("story");
  const [page, tab] = [new Page(own, { rooms: [10] }), new Page(own, { transports: ["websocket"] })];
  const stranger = new Page(session("other"));
  await Promise.all([page, tab, stranger].map((one) => one.hears("connection_success")));
  assert.deepEqual((await page.hears("subscription_confirmation")).status, "subscribed");

  // The other tab, and nobody else, hears what a page says to its session.
  page.say({ type: "session_message", action: "basket", data: { items: 1 } });
  const told = await tab.hears("room_message");
  assert.deepEqual([told.roomId, told.action, told.sessionContext.hasSession], [`session_${own}`, "basket", true]);
  page.say({ type: "get_partial_applications" });
  assert.deepEqual((await page.hears("partial_applications_response")).data.applications, []);

  // The site tells everybody, the session, and who looks at the building.
  await site.server.ask("POST", "/wss-publish", { type: "cache_invalidation", queryKeys: [["searchData"]] });
  await site.publish(`session_${own}`, "server_message", { type: "server_message", action: "new", messages: [{ id: 1, type: "success", text: "Saved" }] });
  await site.publish("entity_building_10", "room_message", { type: "room_message", entityType: "building", entityId: 10, action: "updated" });
  assert.equal((await page.hears("server_message")).messages[0].text, "Saved");
  assert.equal((await page.hears("room_message")).action, "updated");
  assert.deepEqual((await stranger.hears("cache_invalidation")).queryKeys, [["searchData"]]);

  cut(page.socket);
  await site.publish(`session_${own}`, "refresh_bookinguser", { type: "refresh_bookinguser", action: "refresh" });
  await site.publish("entity_building_10", "room_message", { type: "room_message", entityType: "building", entityId: 10, action: "deleted" });
  await until("it is back", () => page.connects === 2);
  await page.hears("refresh_bookinguser");
  await page.hears("room_message", 2);
  await site.publish("portico", "last", { type: "last" });
  await Promise.all([page, tab, stranger].map((one) => one.hears("last")));
  assert.deepEqual(page.of("room_message").map(({ action }) => action), ["updated", "deleted"]);
  assert.equal(page.of("refresh_bookinguser").length, 1);
  assert.deepEqual(stranger.of("server_message").concat(stranger.of("refresh_bookinguser"), stranger.of("room_message")), []);
});

test("a user of a token is told what is for that user, and nobody else is", async () => {
  const page = new Page(session("known"), { auth: { token: tokenOf("phpgw_accounts_7") } });
  const label = new Page(session("label"));
  await Promise.all([page, label].map((one) => one.hears("connection_success")));
  label.say({ type: "update_user_info", userId: 7 });
  assert.equal((await label.hears("user_info_update_confirmation")).success, false);
  const message = { type: "notification", message: "Your application was approved", timestamp: "2026-01-31T09:00:00Z" };
  await site.publish("user_phpgw_accounts_7", "message", message);
  const { id, ...rest } = await page.hears("notification");
  assert.deepEqual([typeof id, rest], ["string", message]);
  await site.publish("portico", "last", { type: "last" });
  await label.hears("last");
  assert.deepEqual(label.of("notification"), []);
});

test("a page of the older client is in the same rooms, and both may answer each other", async () => {
  const own = session("both");
  const page = new Page(own);
  await page.hears("connection_success");
  const older = new WebSocket(`ws://${site.server.address}/wss`);
  const heard = [];
  older.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
  await new Promise((done) => older.addEventListener("open", done));
  older.send(JSON.stringify({ type: "update_session", sessionId: own }));
  await until("it is in the session", () => heard.some(({ type }) => type === "session_update_confirmation"));
  older.send(JSON.stringify({ type: "session_message", n: 1 }));
  assert.equal((await page.hears("room_message")).n, 1);
  page.say({ type: "session_message", n: 2 });
  await until("the answer", () => heard.some(({ n }) => n === 2));
  older.close();
});

test("other events and other namespaces are none of these pages'", async () => {
  const page = new Page(session("events"));
  await connected(page.socket);
  assert.equal((await page.socket.emitWithAck("join_room", "lobby")).code, "unknown_type");
  const other = site.client({ path: "/wss/socket.io" }, "/api/socket");
  await assert.rejects(connected(other), { message: "Invalid namespace" });
  const answer = await fetch(`${site.server.http}/wss-publish`, { method: "POST", body: "{}", headers: { authorization: "Bearer wrong" } });
  assert.equal(answer.status, 401);
  assert.ok(page.socket.connected);
});
