// What is published in one protocol is heard in the others, each in its own form, wherever the channel has a name there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { ANN, AppointEase, Native, Portico, Pusher, SESSION, Site, SocketIo, until } from "./screens.mjs";

const OWN = `user_${ANN}`;
const ENTITY = "entity_building_10";
const OPEN = ["lobby", "appointease", "portico", ENTITY];
// Whoever looks in a protocol's own way needs a rule; PorticoEstate's and AppointEase's pages are in theirs by what they are.
const RULES = [...OPEN.map((name) => [name, "everyone"]), [OWN, "user"], [ANN, "user"]]
  .map(([pattern, to]) => `[[access]]\npattern = "${pattern}"\nallow = ["subscribe"]\nto = "${to}"\n`).join("\n");

const ROWS = [
  ["appointease", "{email}", "user:{email}", "slot_held", { id: "$reservation.id" }],
  ["portico", "session_{id}", "user:session_{id}", "refresh_bookinguser", { action: "refresh", hold: "$reservation.id" }],
].map(([dialect, channel, from, name, data]) =>
  `[[projections]]\ndialect = "${dialect}"\nchannel = "${channel}"\nfrom = "${from}"\nevent = "hold.granted"\nname = "${name}"\ndata = '${JSON.stringify(data)}'\n`).join("\n");

/** A Redis of its own, and what publishes in it. */
class Redis {
  static async start() {
    const redis = new Redis();
    const free = net.createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    redis.port = free.address().port;
    free.close();
    await once(free, "close");
    redis.child = spawn("redis-server", ["--port", `${redis.port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
    await until("redis-server", async () => {
      redis.socket = net.connect(redis.port, "127.0.0.1");
      return once(redis.socket, "connect").then(() => true, () => false);
    });
    return redis;
  }

  /** Publishes; gives how many have heard it. */
  async publish(channel, message) {
    const part = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
    this.socket.write(`*3\r\n${part("PUBLISH")}${part(channel)}${part(JSON.stringify(message))}`);
    const [answer] = await once(this.socket, "data");
    return Number(`${answer}`.slice(1));
  }

  close() {
    this.socket.destroy();
    this.child.kill("SIGKILL");
  }
}

let site, redis, screens;
before(async () => {
  redis = await Redis.start();
  site = await Site.start({ behind: `${RULES}\n${ROWS}`, env: { REDIS_HOST: "127.0.0.1", REDIS_PORT: `${redis.port}` } });
  screens = {
    page: await site.open(AppointEase),
    stranger: await site.open(AppointEase, null),
    portico: await site.open(Portico, ["building", 10]),
    native: await site.open(Native, [...OPEN, OWN, ANN, `user:${ANN}`]),
    pusher: await site.open(Pusher, [...OPEN, "private-notes.1", `private-appointments.${ANN}`]),
    socket: await site.open(SocketIo, [...OPEN, ANN]),
  };
  await site.settle();
  // Its subscription is made by then.
  await until("Redis", () => redis.publish("room_messages", { type: "nothing", roomId: "entity_nobody_1" }));
});
after(async () => {
  await site.close();
  redis.close();
});

/** Publishes, and gives what each screen was told that has the text in it. */
async function heard(publish) {
  const text = `${Math.random()}`;
  await site.settle();
  site.forget();
  await publish(text);
  await site.settle();
  const of = (screen) => screen.heard.filter((told) => JSON.stringify(told).includes(text));
  const told = Object.entries(screens).map(([name, screen]) => [name, of(screen)]).filter(([, all]) => all.length > 0);
  return { text, told: Object.fromEntries(told) };
}

/** The forms in which an event of this name and data is told. */
const FORMS = {
  native: (name, data) => [name, data],
  pusher: (name, data) => [name, data],
  socket: (name, data) => [name, data],
  page: (name, data) => [name, { data }],
  stranger: (name, data) => [name, { data }],
  portico: (name, data, channel) => [name, channel === "portico" ? { data } : { roomId: channel, data }],
};

/** Without what tells one event from the other. */
function plain([name, data], screen) {
  if (!["page", "stranger", "portico"].includes(screen)) return [name, data];
  const { timestamp, id, ...rest } = data;
  assert.ok(timestamp, "it says when");
  return [name, rest];
}

/** Exactly these screens are told, each once and in its form. */
function assertTold(told, who, name, data, channel) {
  assert.deepEqual(Object.keys(told).sort(), [...who].sort(), JSON.stringify(told));
  for (const screen of who) {
    assert.deepEqual(told[screen].map((one) => plain(one, screen)), [FORMS[screen](name, data, channel)], screen);
  }
}

/** Who hears what is published on a channel. */
const HEARERS = {
  lobby: ["native", "pusher", "socket"],
  appointease: ["native", "pusher", "socket", "page", "stranger"],
  portico: ["native", "pusher", "socket", "portico"],
  [ENTITY]: ["native", "pusher", "socket", "portico"],
  // For one person: those of this person's screens that have a name for it, and nobody else's.
  [OWN]: ["native", "socket", "portico"],
  [ANN]: ["native", "socket", "page"],
  // An application signs its private channels for its own clients.
  "private-notes.1": ["pusher"],
  [`private-appointments.${ANN}`]: ["pusher"],
};

const PUBLISHERS = {
  "/v1/publish": (channel, data) => site.server.publish(channel, data, "told"),
  "Pusher's HTTP API": (channel, data) => site.backend.trigger(channel, "told", data),
};

for (const [way, publish] of Object.entries(PUBLISHERS)) {
  for (const [channel, who] of Object.entries(HEARERS)) {
    test(`an event of ${way} on ${channel} is heard by ${who.join(", ")}`, async () => {
      const { text, told } = await heard((text) => publish(channel, { text }));
      assertTold(told, who, "told", { text }, channel);
    });
  }
  test(`a text of ${way} that is no object is a text for everybody`, async () => {
    for (const channel of ["lobby", "appointease", "portico"]) {
      const { text, told } = await heard((text) => publish(channel, `so: ${text}`));
      assertTold(told, HEARERS[channel], "told", `so: ${text}`, channel);
    }
  });
}

test("an event on a channel of the ledger is no row of its table, and Pusher's API cannot name it", async () => {
  const { text, told } = await heard((text) => site.server.publish(`user:${ANN}`, { text }, "told"));
  assertTold(told, ["native"], "told", { text });
  await assert.rejects(async () => {
    const answer = await site.backend.post({ path: "/events", body: { name: "told", channels: [`user:${ANN}`], data: "{}" } });
    if (!answer.ok) throw new Error(answer.status);
  });
});

test("what POST /api/socket tells a user is heard on that user's screens", async () => {
  const tell = (text) => site.server.ask("POST", "/api/socket", { event: { type: "booking", action: "accepted" }, data: { text }, targetUsers: [ANN] });
  const { told } = await heard(tell);
  assert.deepEqual(Object.keys(told).sort(), ["native", "portico", "socket"], JSON.stringify(told));
  assert.deepEqual([told.socket.length, told.native.length, told.portico.length], [1, 1, 1]);
  assert.deepEqual(told.native[0], told.socket[0]);
  assert.equal(told.native[0][0], "booking_update");
  // It has a `type` of its own, which is all that such a page looks at.
  assert.deepEqual([told.portico[0][0], told.portico[0][1].action], ["booking", "accepted"]);
});

test("what WordPress posts to /broadcast is heard by every page, and as an event of `appointease`", async () => {
  const { text, told } = await heard((text) => site.server.ask("POST", "/broadcast", { event: "told", data: { text } }));
  assertTold(told, HEARERS.appointease, "told", { text });
});

const WHOLE = [
  ["/wss-publish", "portico", (message) => site.server.ask("POST", "/wss-publish", message)],
  ["Redis for everybody", "portico", (message) => redis.publish("notifications", message)],
  ["Redis for a room", ENTITY, (message) => redis.publish("room_messages", { ...message, roomId: ENTITY })],
  ["Redis for an entity", ENTITY, (message) => redis.publish("notifications", { ...message, target: "entity", entityType: "building", entityId: 10 })],
];
for (const [way, channel, publish] of WHOLE) {
  test(`a message of ${way} is an event of ${channel} for the others, under the name of its type`, async () => {
    const { text, told } = await heard(async (text) => {
      await publish({ type: "told", message: text });
      await screens.native.hears("told", (data) => data.message === text);
    });
    assert.deepEqual(Object.keys(told).sort(), [...HEARERS[channel]].sort(), JSON.stringify(told));
    for (const [screen, all] of Object.entries(told)) {
      assert.equal(all.length, 1, screen);
      assert.deepEqual([all[0][0], all[0][1].message], ["told", text], screen);
    }
  });
}

test("rows of the operator's own show pages of each protocol what the ledger says", async () => {
  site.forget();
  const mine = await site.hold();
  const session = await site.hold({ resource: "employee:1", start: "2031-01-16T10:00:00+01:00", end: "2031-01-16T10:30:00+01:00" }, `session_${SESSION}`);
  await screens.page.hears("slot_held");
  await screens.portico.hears("refresh_bookinguser");
  await site.settle();
  assert.deepEqual(screens.page.told("slot_held").map(({ data }) => data), [{ id: mine.id }]);
  assert.deepEqual(screens.portico.told("refresh_bookinguser").map(({ roomId, hold }) => [roomId, hold]), [[`session_${SESSION}`, session.id]]);
  assert.deepEqual(screens.stranger.told("slot_held"), []);
});

test("a page that follows nobody any more hears nothing that is for that person", async () => {
  const page = await site.open(AppointEase);
  await page.ask({ type: "unwatch_appointments", email: ANN }, "unwatch_confirmed");
  const { text, told } = await heard((text) => site.server.publish(ANN, { text }, "told"));
  assertTold(told, HEARERS[ANN], "told", { text }, ANN);
  assert.deepEqual(page.told("told"), []);
  page.leave();
  site.screens.splice(site.screens.indexOf(page), 1);
});

test("an application's private channels are closed to those whom it has not let in", async () => {
  const native = await site.open(Native);
  native.send({ type: "subscribe", channel: "private-notes.1" });
  await native.hears("error", ({ code }) => code === "denied");
  const { success } = await screens.socket.client.emitWithAck("join_room", "private-notes.1");
  assert.equal(success, false);
});

test("whoever has only the public key reads nothing that is for somebody", async () => {
  for (const name of [OWN, ANN, "role_admin", "session_4nn5s3ss10n0fp0rt1c0", "applications_session_4nn5s3ss10n0fp0rt1c0", "entity_building_11"]) {
    assert.ok(await screens.pusher.isRefused(name), name);
  }
  assert.equal(await screens.pusher.isRefused("users"), false);
});
