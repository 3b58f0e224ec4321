// A site with Socket.IO clients: its tokens, its backend, and clients that keep what they hear.
import { createHmac } from "node:crypto";

import { io } from "socket.io-client";

import { Server } from "../server.mjs";

/** What the site signs its users' tokens with; not Deskbell's secret. */
export const SITE_SECRET = "the-secret-that-the-site-signs-with-itself";

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as the site signs it. */
export function token(claims, secret = SITE_SECRET) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iat: now, exp: now + 3_600, ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** The token of a user of the marketplace. */
export function tokenOf(id, role = "CLIENT") {
  return token({ id, role, email: `${id}@example.org`, name: id, emailVerified: true });
}

/** What the access rules of a site with bookings say. */
export const CONFIG = `
drain = "1s"

[[access]]
pattern = "lobby"
allow = ["subscribe"]
to = "everyone"

[[access]]
pattern = "private-orders.{user}"
allow = ["subscribe", "publish"]
to = "user"

[[access]]
pattern = "presence-clinic"
allow = ["subscribe", "publish", "presence"]
to = "user"

[[channels]]
pattern = "presence-clinic"
presence = true
`;

export const TRANSPORTS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };

/** A server and everybody who is connected to it. */
export class Site {
  static async start({ config = CONFIG, flags, env = {} } = {}) {
    const site = new Site();
    site.server = await Server.start({ config, flags, env: { NEXTAUTH_SECRET: SITE_SECRET, ...env } });
    site.clients = [];
    return site;
  }

  /** A client; `namespace` and `options` are those of `io`. */
  client(options = {}, namespace = "/") {
    const client = io(`${this.server.http}${namespace}`, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 200, ...options });
    client.heard = [];
    client.onAny((name, ...args) => client.heard.push([name, ...args]));
    this.clients.push(client);
    return client;
  }

  /** A client that is connected as this user. */
  async user(id, role = "CLIENT", options = {}) {
    const client = this.client({ auth: { token: tokenOf(id, role) }, ...options });
    await connected(client);
    return client;
  }

  /** The backend publishes an event in a room. */
  publish(room, name, data) {
    return this.server.publish(room, data, name);
  }

  /** The backend tells something over the marketplace's own route. */
  tell(type, action, data, targetUsers) {
    return this.server.ask("POST", "/api/socket", { event: { type, action }, data, targetUsers });
  }

  async close() {
    for (const client of this.clients) client.disconnect();
    await this.server.close();
  }
}

/** The next time that this is said to a client; gives its first argument. Behind it may stand where the client is. */
export async function next(client, event, fits) {
  return (await nextArgs(client, event, fits))[0];
}

/** The same with all arguments. */
export function nextArgs(client, event, fits = () => true) {
  return new Promise((found, failed) => {
    const timer = setTimeout(() => {
      client.off(event, hear);
      failed(new Error(`nobody said ${event}; heard ${JSON.stringify(client.heard ?? [])}`));
    }, 10_000);
    function hear(...args) {
      if (!fits(...args)) return;
      clearTimeout(timer);
      client.off(event, hear);
      found(args);
    }
    client.on(event, hear);
  });
}

export async function connected(client) {
  if (client.connected) return client;
  const refused = new Promise((_, failed) => client.once("connect_error", failed));
  await Promise.race([next(client, "connect"), refused]);
  return client;
}

/** What a client has heard under this name so far, by the first argument. */
export const heard = (client, name) => client.heard.filter(([said]) => said === name).map(([, data]) => data);

/** Waits until this holds; it is looked at whenever something may have happened. */
export async function until(what, holds, patience = 10_000) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await new Promise((turn) => setTimeout(turn, 5));
  }
}

/** Sends something whose answer comes behind everything that was on its way. */
export async function settle(site, client) {
  const mark = `${Math.random()}`;
  const came = next(client, "mark", (data) => data === mark);
  await site.publish("lobby", "mark", mark);
  await came;
}

/** Cuts the connection under a client, as a lost network does. It comes back by itself. */
export function cut(client) {
  client.io.engine.close();
}
