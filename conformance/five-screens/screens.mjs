// Five screens of one person, each with the client that its pages have, and all that it was told.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";

import PusherJs from "pusher-js";
import Backend from "pusher";
import { io } from "socket.io-client";
import WebSocket from "ws";

import { carryCursor } from "../../web/sdk/dist/pusher.js";
import { SECRET, Server } from "../server.mjs";

/** The person whose screens these are: one user, called by the e-mail address. */
export const ANN = "ann@example.org";
/** An id of a session as a site gives it. */
export const SESSION = "4nn5s3ss10n0fp0rt1c0";
/** An employee of the site, as the ledger calls it. */
export const EMPLOYEE = "employee:1";
/** The slot that it is all about, on the site's clock. */
export const SLOT = { date: "2031-01-15", time: "10:00", employeeId: 1 };
/** The same for the ledger. */
export const CLAIM = { resource: EMPLOYEE, start: "2031-01-15T10:00:00+01:00", end: "2031-01-15T10:30:00+01:00" };

/** Waits until this holds; it is looked at whenever something may have happened. */
export async function until(what, holds, patience = 10_000) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never came: ${typeof what === "function" ? what() : what}`);
    await new Promise((turn) => setTimeout(turn, 5));
  }
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The token of a user, as every backend can sign it. */
export function tokenOf(user) {
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + 3_600 })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** The proof of an e-mail address, as WordPress signs it. */
export function signed(email) {
  const exp = Buffer.alloc(8);
  exp.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000) + 3_600));
  const tag = createHmac("sha256", SECRET).update("email:").update(email).update(exp).digest();
  return Buffer.concat([exp, tag]).toString("base64url");
}

/** The configuration that the document shows, with some lines before it and behind it. */
export async function configuration(before = "", behind = "") {
  const text = await readFile(path.resolve(import.meta.dirname, "../../docs/five-screens.md"), "utf8");
  return `drain = "1s"\n${before}\n${text.match(/^```toml test\n([^]*?)^```$/m)[1]}\n${behind}`;
}

/** A site, and its five protocols. */
export class Site {
  static async start(options = {}) {
    const site = new Site();
    site.server = await Server.start({ ...options, config: await configuration(options.before, options.behind) });
    [site.host, site.port] = site.server.address.split(":");
    site.backend = new Backend({ appId: "1001", key: "key", secret: SECRET, host: site.host, port: site.port, useTLS: false });
    site.screens = [];
    await site.server.ask("PUT", `/v1/resources/${EMPLOYEE}`, { capacity: 1, time_zone: "Europe/Oslo" });
    return site;
  }

  async open(Kind, ...wish) {
    const screen = new Kind(this, ...wish);
    this.screens.push(screen);
    await screen.come();
    return screen;
  }

  hold(claim = CLAIM, who = ANN) {
    return this.server.ask("POST", "/v1/holds", { claims: [claim], holder: who, ...(who.includes("@") && { email: who }) }).then(({ reservation }) => reservation);
  }

  confirm({ id, fence }) {
    return this.server.ask("POST", `/v1/holds/${id}/confirm`, { fence });
  }

  cancel({ id }) {
    return this.server.ask("POST", `/v1/bookings/${id}/cancel`, {});
  }

  /** Frees the slot, whatever has become of its hold. */
  async free({ id, fence }) {
    const cancelled = await this.cancel({ id }).then(() => true, () => false);
    if (!cancelled) await this.server.ask("POST", `/v1/holds/${id}/release`, { fence }).catch(() => {});
  }

  /** Says something to every screen that comes behind all that was on its way, and waits until it is there. */
  async settle() {
    const mark = { text: `${Math.random()}` };
    const channels = new Set(this.screens.map((screen) => screen.ear));
    await this.server.ask("POST", "/v1/publish", { events: [...channels].map((channel) => ({ channel, name: "mark", data: mark })) });
    const is = (data) => data.text === mark.text || data.data?.text === mark.text;
    await Promise.all(this.screens.map((screen) => screen.hears("mark", is)));
  }

  /** Waits until the screens were told this, as a number for each name, and no more. */
  async told(expected) {
    const all = () => [...expected.keys()].every((screen) => {
      const told = screen.tally();
      return Object.entries(expected.get(screen)).every(([name, times]) => told[name] >= times);
    });
    await until(() => this.screens.map((screen) => `${screen.constructor.name} ${JSON.stringify(screen.heard)}`).join("\n"), all);
    await this.settle();
    for (const [screen, told] of expected) assert.deepEqual(screen.tally(), told, `${screen.constructor.name}: ${JSON.stringify(screen.heard)}`);
  }

  /** From here on counts what is told anew. */
  forget() {
    for (const screen of this.screens) screen.forget();
  }

  async close() {
    for (const screen of this.screens) screen.leave();
    await this.server.close();
  }
}

/** What all screens have: what was told, each as a name and what is in it. */
class Screen {
  constructor(site) {
    this.site = site;
    this.heard = [];
  }

  /** What was told under a name. */
  told(name) {
    return this.heard.filter(([said]) => said === name).map(([, data]) => data);
  }

  /** How often it was told each name. */
  tally() {
    const told = {};
    for (const [name] of this.heard) if (name !== "mark") told[name] = (told[name] ?? 0) + 1;
    return told;
  }

  /** Waits until it was told something under this name that fits. */
  async hears(name, fits = () => true) {
    const holds = () => this.told(name).some(fits);
    await until(() => `${name} on ${this.constructor.name}; heard ${JSON.stringify(this.heard)}`, holds);
    return this.told(name).find(fits);
  }

  forget() {
    this.heard.length = 0;
  }
}

/** A screen with a plain WebSocket. */
class Socket extends Screen {
  async connect(path, options = {}) {
    this.ws = new WebSocket(`ws://${this.site.host}:${this.site.port}${path}`, options);
    this.ws.on("message", (text) => {
      this.hear(JSON.parse(text));
    });
    await once(this.ws, "open");
  }

  hear({ type, ...data }) {
    this.heard.push([type, data]);
  }

  send(message) {
    this.ws.send(JSON.stringify(message));
  }

  /** Ends the connection as a lost network does. */
  async cut() {
    const gone = once(this.ws, "close");
    this.ws.terminate();
    await gone;
  }

  leave() {
    this.ws.terminate();
  }
}

/** A page of the AppointEase plugin that watches the slot: of the person, or of somebody without a name. */
export class AppointEase extends Socket {
  ear = "appointease";

  constructor(site, who = ANN) {
    super(site);
    this.who = who;
  }

  async come() {
    await this.connect(this.who ? `/?email=${encodeURIComponent(this.who)}&sig=${signed(this.who)}` : "/");
    await this.hears("connection");
    this.send({ type: "watch_slot", ...SLOT });
    this.send({ type: "ping" });
    await this.hears("pong");
    this.forget();
  }

  /** It knows no place to go on from, and asks what there is now. */
  async back() {
    await this.come();
    this.send({ type: "subscribe" });
    await this.hears("update");
  }

  /** Asks something and gives the answer, which is kept out of what was told. */
  async ask(message, kind) {
    const before = this.told(kind).length;
    this.send(message);
    await until(() => `${kind}; heard ${JSON.stringify(this.heard)}`, () => this.told(kind).length > before);
    const answer = this.told(kind).at(-1);
    this.heard.splice(this.heard.findLastIndex(([said, data]) => said === kind && data === answer), 1);
    return answer;
  }
}

/** A page of PorticoEstate: in its session, known by a token, in the room of the employee. */
export class Portico extends Socket {
  ear = "portico";
  #ids = new Set();
  #before = new Set();

  constructor(site, entity = ["employee", 1]) {
    super(site);
    this.entity = entity;
  }

  /** What was on its way in a cut may come again, under the id that it had. On one connection nothing does. */
  hear({ type, ...data }) {
    if (this.#before.has(data.id)) return;
    this.#ids.add(data.id);
    this.heard.push([type, data]);
  }

  async cut() {
    await super.cut();
    this.#before = new Set([...this.#ids].filter((id) => id));
  }

  async come() {
    await this.connect(`/wss?token=${tokenOf(ANN)}`, { headers: { cookie: `bookingfrontendsession=${SESSION}` } });
    await this.hears("connection_success");
    this.send({ type: "subscribe", entityType: this.entity[0], entityId: this.entity[1] });
    await this.hears("subscription_confirmation");
    this.heard = this.heard.filter(([name]) => !["room_joined", "connection_success", "subscription_confirmation"].includes(name));
  }

  back() {
    return this.come();
  }
}

/** A client of our own protocol. */
export class Native extends Socket {
  constructor(site, channels = [`user:${ANN}`, `slots:${EMPLOYEE}`]) {
    super(site);
    [this.channels, this.ear] = [channels, channels[0]];
  }

  hear({ type, name, data, ...frame }) {
    this.heard.push(type === "event" ? [name, data] : [type, frame]);
    if (type !== "welcome" || !this.resume) this.cursor = frame.cursor ?? this.cursor;
    this.resume = frame.resume ?? this.resume;
  }

  async come() {
    const [last, resume] = [this.cursor, this.resume];
    await this.connect("/v1/ws");
    await this.hears("welcome");
    this.send({ type: "hello", token: tokenOf(ANN), channels: this.channels, ...(last && { resume, cursor: last }) });
    await until("its channels", () => this.told("subscribed").length === this.channels.length);
    this.heard = this.heard.filter(([name]) => !["welcome", "subscribed"].includes(name));
  }

  back() {
    return this.come();
  }
}

/** A Laravel page with pusher-js. */
export class Pusher extends Screen {
  constructor(site, channels = [`private-appointments.${ANN}`, "slots.1"]) {
    super(site);
    [this.channels, this.ear] = [channels, channels[0]];
  }

  async come() {
    const { backend, host, port } = this.site;
    this.client = new PusherJs("key", {
      cluster: "", wsHost: host, wsPort: Number(port), forceTLS: false, enabledTransports: ["ws"],
      channelAuthorization: { customHandler: ({ socketId, channelName }, done) => done(null, backend.authorizeChannel(socketId, channelName)) },
    });
    carryCursor(this.client);
    for (const name of this.channels) this.listen(name);
    await until("pusher-js", () => this.client.channels.all().every((channel) => channel.subscribed));
  }

  listen(name) {
    return this.client.subscribe(name).bind_global((event, data) => {
      if (!event.startsWith("pusher:")) this.heard.push([event, data]);
    });
  }

  /** Is a channel refused? */
  async isRefused(name) {
    const refused = new Promise((done) => this.client.subscribe(name).bind("pusher:subscription_error", () => done(true)).bind("pusher:subscription_succeeded", () => done(false)));
    const answer = await refused;
    this.client.unsubscribe(name);
    return answer;
  }

  async cut() {
    this.client.connection.connection.transport.socket.terminate?.();
    this.client.disconnect();
    await until("an end", () => this.client.connection.state === "disconnected");
  }

  async back() {
    this.client.connect();
    await until("pusher-js again", () => this.client.channels.all().every((channel) => channel.subscribed));
  }

  leave() {
    this.client.disconnect();
  }
}

/** A dashboard with socket.io-client. */
export class SocketIo extends Screen {
  ear = `user_${ANN}`;

  constructor(site, rooms = ["slots_1"]) {
    super(site);
    this.rooms = rooms;
  }

  async come() {
    const { host, port } = this.site;
    this.client = io(`http://${host}:${port}`, { forceNew: true, auth: { token: tokenOf(ANN) }, transports: ["websocket"], reconnectionDelay: 20 });
    this.client.onAny((name, data) => this.heard.push([name, data]));
    await new Promise((done, failed) => this.client.once("connect", done).once("connect_error", failed));
    for (const room of this.rooms) {
      const { success } = await this.client.emitWithAck("join_room", room);
      if (!success) throw new Error(`the room ${room} was refused`);
    }

    this.forget();
  }

  async cut() {
    const gone = new Promise((done) => this.client.once("disconnect", done));
    // It comes back only when it is told to.
    this.client.io.reconnection(false);
    this.client.io.engine.close();
    await gone;
  }

  async back() {
    this.client.io.reconnection(true);
    const there = new Promise((done) => this.client.once("connect", done));
    this.client.connect();
    await there;
    if (!this.client.recovered) throw new Error("it came back as somebody new");
  }

  leave() {
    this.client.disconnect();
  }
}
