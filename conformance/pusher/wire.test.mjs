// The wire itself, with npm's `ws`: error and close codes as clients act on them, refusals, signs of life, a stop.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";

import WebSocket from "ws";

import { SECRET, Server } from "../server.mjs";

const CONFIG = `
[pusher]
members = 3
activity_timeout = "1s"
pong_timeout = "2s"

[[access]]
pattern = "staff-*"
allow = ["subscribe"]
to = "user"

[[apps]]
id = 1002
key = "second"
secret = "another-secret-of-the-suites"
pusher_connections = 1
pusher_client_events = false

[[apps]]
id = 1003
key = "off"
secret = "a-third-secret-of-the-suites"
pusher_enabled = false

[[apps]]
id = 1004
key = "bare"
secret = "a-fourth-secret-of-the-suites"
pusher_client_events = false
pusher_bare_signatures = true
`;

let server;
before(async () => (server = await Server.start({ config: `heartbeat = "1s"\n${CONFIG}` })));
after(() => server.close());

const hmac = (text, secret = SECRET) => createHmac("sha256", secret).update(text).digest("hex");

/** A client that answers nothing by itself. */
class Client {
  constructor(path = "/app/key?protocol=7&client=js&version=8.6.0", { on = server, ...options } = {}) {
    this.frames = [];
    this.errors = [];
    this.socket = new WebSocket(`ws://${on.address}${path}`, { autoPong: true, ...options });
    this.socket.on("message", (text) => {
      this.frames.push(JSON.parse(text));
      if (this.frames.at(-1).event === "pusher:error") this.errors.push(this.frames.at(-1));
      this.socket.emit("frame");
    });
    this.closed = new Promise((found) => this.socket.once("close", (code, reason) => found([code, String(reason)])));
  }

  /** The next frame of this name; those before it are over. */
  async next(event) {
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.event === event);
      if (at >= 0) return this.frames.splice(0, at + 1).at(-1);
      await Promise.race([once(this.socket, "frame"), this.closed.then((how) => { if (!this.frames.some((f) => f.event === event)) throw new Error(`closed ${how} before ${event}`); })]);
    }
  }

  async open() {
    const { data } = await this.next("pusher:connection_established");
    assert.equal(typeof data, "string");
    Object.assign(this, JSON.parse(data));
    return this;
  }

  say(event, data, channel) {
    this.socket.send(JSON.stringify({ event, data, channel }));
  }

  /** Subscribes with a token over exactly this data. */
  subscribe(channel, data, auth = `key:${hmac([this.socket_id, channel, data].filter((part) => part !== undefined).join(":"))}`) {
    this.say("pusher:subscribe", { channel, auth, channel_data: data });
  }

  /** Sends a ping and returns what came before its answer. */
  async before_pong() {
    const at = this.frames.length;
    this.say("pusher:ping", {});
    await this.next("pusher:pong");
    return at;
  }
}

test("the first frame has a socket's name, a time and a text as its data", async (t) => {
  const client = await new Client().open();
  t.after(() => client.socket.terminate());
  assert.match(client.socket_id, /^\d+\.\d+$/);
  assert.equal(client.activity_timeout, 1);
});

test("what may not connect hears its code in a frame and in the close", async () => {
  for (const [path, code, options] of [
    ["/app/nobody", 4001], ["/prefix/app/nobody", 4001], ["/app/off", 4003],
  ]) {
    const client = new Client(path, options);
    const error = await client.next("pusher:error");
    assert.equal(JSON.parse(error.data).code, code, path);
    assert.equal((await client.closed)[0], code, path);
  }
});

test("an app has no more connections than it may", async (t) => {
  const first = await new Client("/app/second").open();
  const second = new Client("/app/second");
  assert.equal(JSON.parse((await second.next("pusher:error")).data).code, 4004);
  assert.equal((await second.closed)[0], 4004);
  first.socket.terminate();
  await first.closed;
  // Its place is free as soon as the server knows.
  for (;;) {
    const third = new Client("/app/second");
    t.after(() => third.socket.terminate());
    if (await third.open().catch(() => null)) break;
  }
});

test("a path may have a prefix, a protocol any number, and nothing else need be there", async () => {
  for (const path of ["/app/key", "/reverb/app/key?protocol=5", "/.pusher.com:443/app/key?protocol=7&flash=false"]) {
    const client = await new Client(path).open();
    client.socket.terminate();
  }
});

test("both sides ask for a sign of life, with and without data", async (t) => {
  const client = await new Client().open();
  t.after(() => client.socket.terminate());
  client.say("pusher:ping", {});
  assert.deepEqual(await client.next("pusher:pong"), { event: "pusher:pong", data: "{}" });
  client.socket.send('{"event": "pusher:ping"}');
  await client.next("pusher:pong");
  client.socket.ping();
  await once(client.socket, "pong");
});

test("whoever is silent is asked, and then closed with 4201, also in no channel", async () => {
  const client = await new Client(undefined, { autoPong: false }).open();
  assert.deepEqual(await client.next("pusher:ping"), { event: "pusher:ping", data: "{}" });
  assert.deepEqual(await client.closed, [4201, "Pong reply not received"]);
});

test("whoever answers stays, by a pong of either kind", async (t) => {
  const quiet = await new Client().open();
  const asked = await new Client(undefined, { autoPong: false }).open();
  t.after(() => [quiet, asked].forEach((client) => client.socket.terminate()));
  for (let n = 0; n < 4; n++) {
    await asked.next("pusher:ping");
    asked.say("pusher:pong", {});
  }
  await asked.before_pong();
  assert.equal(quiet.socket.readyState, WebSocket.OPEN);
});

test("a refused subscription is told to the channel and to the connection, which stays", async (t) => {
  const client = await new Client().open();
  t.after(() => client.socket.terminate());
  const shown = '{"user_id":"7"}';
  const forged = `key:${hmac(`${client.socket_id}:presence-a:${shown}`)}`;
  for (const [channel, data, auth, status] of [
    ["private-a", undefined, "", 401],
    ["private-a", undefined, hmac(`${client.socket_id}:private-a`), 401],
    ["private-a", undefined, `other:${hmac(`${client.socket_id}:private-a`)}`, 401],
    ["private-b", undefined, `key:${hmac(`${client.socket_id}:private-a`)}`, 401],
    ["private-a", undefined, `key:${hmac("1.1:private-a")}`, 401],
    ["private-a", '{"x":1}', `key:${hmac(`${client.socket_id}:private-a`)}`, 401],
    ["presence-a", '{"user_id":"8"}', forged, 401],
    ["presence-a", '{"user_id": "7"}', forged, 401],
    ["presence-a", '{"name":"x"}', undefined, 400],
    ["presence-a", undefined, `key:${hmac(`${client.socket_id}:presence-a`)}`, 400],
    ["presence-a", `{"user_id":"${"1".repeat(129)}"}`, undefined, 400],
    ["presence-a", `{"user_id":"7","user_info":"${"x".repeat(1100)}"}`, undefined, 413],
    ["#server-to-user-7", undefined, "", 403],
    ["#watch-7", undefined, "", 400],
    ["user:7", undefined, "", 400],
    ["staff-room", undefined, "", 403],
    ["a b", undefined, "", 400],
    ["", undefined, "", 400],
  ]) {
    client.subscribe(channel, data, auth);
    const told = await client.next("pusher:subscription_error");
    assert.equal(told.channel, channel);
    assert.equal(JSON.parse(told.data).status, status, `${channel} ${data}`);
    assert.equal((await client.next("pusher:error")).channel, channel);
  }
  client.subscribe("presence-a", shown, forged);
  const hash = JSON.parse((await client.next("pusher_internal:subscription_succeeded")).data).presence;
  assert.deepEqual(hash, { count: 1, ids: ["7"], hash: { 7: null } });
});

test("subscribing twice counts once, unsubscribing twice harms nobody", async (t) => {
  const client = await new Client().open();
  t.after(() => client.socket.terminate());
  for (let n = 0; n < 2; n++) {
    client.subscribe("twice", undefined, "");
    assert.deepEqual(await client.next("pusher_internal:subscription_succeeded"), {
      event: "pusher_internal:subscription_succeeded", channel: "twice", data: "{}",
    });
  }
  const about = await ask("GET", "/apps/1001/channels/twice", { info: "subscription_count" });
  assert.deepEqual(await about.json(), { occupied: true, subscription_count: 1 });
  for (let n = 0; n < 2; n++) client.say("pusher:unsubscribe", { channel: "twice" });
  await client.before_pong();
  assert.deepEqual(client.errors, []);
  assert.deepEqual(await (await ask("GET", "/apps/1001/channels/twice")).json(), { occupied: false });
});

test("who is not subscribed may not speak, and where an app does not allow it nobody may", async (t) => {
  const [ann, bob] = [await new Client().open(), await new Client("/app/bare").open()];
  t.after(() => [ann, bob].forEach((client) => client.socket.terminate()));
  ann.say("client-hi", {}, "private-elsewhere");
  const error = await ann.next("pusher:error");
  assert.deepEqual([error.channel, JSON.parse(error.data).code], ["private-elsewhere", 4009]);
  bob.subscribe("private-quiet", undefined, `bare:${hmac(`${bob.socket_id}:private-quiet`, "a-fourth-secret-of-the-suites")}`);
  await bob.next("pusher_internal:subscription_succeeded");
  bob.say("client-hi", {}, "private-quiet");
  assert.equal(JSON.parse((await bob.next("pusher:error")).data).code, 4301);
});

test("a bare signature, where an app takes it, is for the channel alone", async (t) => {
  const client = await new Client("/app/bare").open();
  t.after(() => client.socket.terminate());
  const bare = (channel) => hmac(`${client.socket_id}:${channel}`, "a-fourth-secret-of-the-suites");
  client.subscribe("private-bare", '{"user_id":"somebody else"}', bare("private-bare"));
  await client.next("pusher_internal:subscription_succeeded");
  client.subscribe("presence-bare", '{"user_id":"9"}', bare("presence-bare"));
  assert.equal(JSON.parse((await client.next("pusher:subscription_error")).data).status, 400);
});

test("a presence channel that is full refuses people, not tabs", async (t) => {
  const clients = [];
  t.after(() => clients.forEach((client) => client.socket.terminate()));
  const join = async (user) => {
    const client = await new Client().open();
    clients.push(client);
    client.subscribe("presence-full", `{"user_id":"${user}"}`);
    return client;
  };
  for (const user of ["0", "1", "2", "1"]) await (await join(user)).next("pusher_internal:subscription_succeeded");
  const last = await join("3");
  assert.equal(JSON.parse((await last.next("pusher:subscription_error")).data).status, 429);
  await last.before_pong();
});

test("a signature that does not hold ends the wish to be a user, a second user only that wish", async () => {
  const eve = await new Client().open();
  eve.say("pusher:signin", { auth: "key:no", user_data: '{"id":"1"}' });
  assert.equal(JSON.parse((await eve.next("pusher:error")).data).code, 4009);
  assert.equal((await eve.closed)[0], 4009);
  const ann = await new Client().open();
  const as = (user) => {
    const user_data = `{"id":"${user}"}`;
    ann.say("pusher:signin", { auth: `key:${hmac(`${ann.socket_id}::user::${user_data}`)}`, user_data });
  };
  as("1");
  const told = await ann.next("pusher:signin_success");
  assert.equal(JSON.parse(told.data).user_data, '{"id":"1"}');
  as("1");
  await ann.next("pusher:signin_success");
  as("2");
  assert.equal(JSON.parse((await ann.next("pusher:error")).data).code, 4009);
  // Whoever is somebody needs no data of its own in a presence channel.
  ann.subscribe("presence-signed", undefined);
  assert.deepEqual(JSON.parse((await ann.next("pusher_internal:subscription_succeeded")).data).presence.ids, ["1"]);
  ann.socket.terminate();
});

test("101 watched users are one too many, and the first 100 are watched", async () => {
  const ann = await new Client().open();
  const ids = [...Array(101).keys()].map((id) => `w${id}`);
  const user_data = JSON.stringify({ id: "many", watchlist: ids });
  ann.say("pusher:signin", { auth: `key:${hmac(`${ann.socket_id}::user::${user_data}`)}`, user_data });
  await ann.next("pusher:signin_success");
  assert.equal(JSON.parse((await ann.next("pusher:error")).data).code, 4302);
  const { events } = JSON.parse((await ann.next("pusher_internal:watchlist_events")).data);
  assert.deepEqual(events, [{ name: "offline", user_ids: ids.slice(0, 100) }]);
  ann.socket.terminate();
});

test("what is no message is answered and harms nobody", async (t) => {
  const client = await new Client().open();
  t.after(() => client.socket.terminate());
  for (const text of ["{", "[]", '{"event":7}', '{"event":"pusher:fly"}', '{"event":"nothing"}']) {
    client.socket.send(text);
    await client.next("pusher:error");
  }
  client.socket.send(Buffer.from([1, 2, 3]));
  await client.next("pusher:error");
});

/** Asks as a backend signs. */
function ask(method, path, query = {}, body = "", { key = "key", secret = SECRET, at = Math.floor(Date.now() / 1000), more = {}, signed = path.slice(path.indexOf("/apps/")) } = {}) {
  const pairs = { ...query, auth_key: key, auth_timestamp: String(at), auth_version: "1.0", ...more };
  if (body) pairs.body_md5 = createHash("md5").update(body).digest("hex");
  const text = Object.keys(pairs).sort().map((name) => `${name}=${pairs[name]}`).join("&");
  pairs.auth_signature = hmac(`${method}\n${signed}\n${text}`, secret);
  const url = `${server.http}${path}?${new URLSearchParams(pairs)}`;
  return fetch(url, { method, ...(body && { body, headers: { "content-type": "application/json" } }) });
}

test("backends are refused with the status that says why", async () => {
  const event = (more = {}) => JSON.stringify({ name: "e", channels: ["a"], data: "{}", ...more });
  const now = Math.floor(Date.now() / 1000);
  const names = (count) => [...Array(count).keys()].map((n) => `c${n}`);
  for (const [status, body, options, path = "/apps/1001/events"] of [
    [200, event()],
    [200, event(), {}, "/some/prefix/apps/1001/events"],
    [200, event(), { signed: "/some/prefix/apps/1001/events" }, "/some/prefix/apps/1001/events"],
    [401, event(), { signed: "/another/apps/1001/events" }, "/some/prefix/apps/1001/events"],
    [200, event({ channels: names(100) })],
    [400, event({ channels: names(101) })],
    [400, event({ name: "pusher:x" })],
    [400, event({ channels: ["a b"] })],
    [400, event({ socket_id: "nonsense" })],
    [400, event({ info: "does-not-exist" })],
    [400, "[]"],
    [413, event({ data: "x".repeat(10_241) })],
    [401, event(), { secret: "wrong" }],
    [401, event(), { key: "unknown" }],
    [401, event(), { key: "second", secret: "another-secret-of-the-suites" }],
    [404, event(), {}, "/apps/4242/events"],
    [401, event(), { at: now - 700 }],
    [200, event(), { at: now - 500 }],
    [401, event(), { more: { auth_version: "2.0" } }],
    [403, event(), { key: "off", secret: "a-third-secret-of-the-suites" }, "/apps/1003/events"],
    [200, JSON.stringify({ batch: Array(10).fill({ channel: "a", name: "e", data: "1" }) }), {}, "/apps/1001/batch_events"],
    [400, JSON.stringify({ batch: Array(11).fill({ channel: "a", name: "e", data: "1" }) }), {}, "/apps/1001/batch_events"],
    [202, "data", {}, "/apps/1001/channels/a/events"],
  ]) {
    const query = path.endsWith("/a/events") ? { name: "old" } : {};
    const answer = await ask("POST", path, query, body, options);
    assert.equal(answer.status, status, `${path} ${body.slice(0, 60)} ${JSON.stringify(options ?? {})} ${await answer.text()}`);
  }
  const info = await ask("GET", "/apps/1001/channels/a", { info: "does-not-exist" });
  assert.match(await info.text(), /info should be a comma separated list of attributes/);
});

test("a stop sends everybody away with 4200, one after the other", async (t) => {
  const other = await Server.start({ config: 'drain = "3s"\n' });
  t.after(() => other.close());
  const clients = await Promise.all([...Array(120).keys()].map(() => new Client(undefined, { on: other }).open()));
  const times = [];
  const gone = clients.map(async (client) => {
    const [code] = await client.closed;
    times.push(Date.now());
    return code;
  });
  await Promise.all([other.stop(), ...gone]);
  assert.deepEqual(new Set(await Promise.all(gone)), new Set([4200]));
  assert.ok(Math.max(...times) - Math.min(...times) > 50, "they were not sent away in one moment");
});
