// A backend with npm's `pusher`, and browsers' clients with `pusher-js`, against one server.
import Backend from "pusher";
import PusherJs from "pusher-js";

import { SECRET, Server } from "../server.mjs";

export const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");

/** A server and its backend. */
export class Site {
  static async start(config = "") {
    const site = new Site();
    site.server = await Server.start({ config });
    const [host, port] = site.server.address.split(":");
    [site.host, site.port] = [host, Number(port)];
    site.backend = site.backendOf();
    site.clients = [];
    return site;
  }

  backendOf(more = {}) {
    return new Backend({
      appId: "1001", key: "key", secret: SECRET, host: this.host, port: String(this.port), useTLS: false,
      encryptionMasterKeyBase64: MASTER_KEY, ...more,
    });
  }

  /** A browser in which this user is signed in, if one is named; `info` is what it shows of itself. */
  client({ key = "key", user, info, options = {}, watchlist, sign = (auth) => auth } = {}) {
    const backend = this.backend;
    const client = new PusherJs(key, {
      cluster: "", wsHost: this.host, wsPort: this.port, forceTLS: false, enabledTransports: ["ws"],
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) => {
          const data = channelName.startsWith("presence-") ? { user_id: user ?? "nobody", user_info: info } : undefined;
          done(null, sign(backend.authorizeChannel(socketId, channelName, data)));
        },
      },
      userAuthentication: {
        customHandler: ({ socketId }, done) => {
          done(null, backend.authenticateUser(socketId, { id: user, user_info: info, watchlist }));
        },
      },
      ...options,
    });
    client.heard = [];
    client.errors = [];
    client.connection.bind("error", (error) => client.errors.push(error));
    this.clients.push(client);
    return client;
  }

  /** Ends everything. */
  async close() {
    for (const client of this.clients) client.disconnect();
    await this.server.close();
  }
}



/** The next time that this is emitted, with its data. */
export function next(emitter, event, fits = () => true) {
  return new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error(`nobody said ${event}`)), 10_000);
    const hear = (data, metadata) => {
      if (!fits(data)) return;
      clearTimeout(timer);
      emitter.unbind(event, hear);
      found(metadata?.user_id === undefined ? data : [data, metadata]);
    };
    emitter.bind(event, hear);
  });
}

export async function connected(client) {
  if (client.connection.state !== "connected") await next(client.connection, "connected");
  return client;
}

/** Subscribes and waits until that has succeeded. */
export async function subscribed(client, name) {
  const channel = client.subscribe(name);
  const data = channel.subscribed ? undefined : await next(channel, "pusher:subscription_succeeded");
  channel.first = data;
  return channel;
}

/** Everything that an emitter says under these names from now on. */
export function record(emitter, ...names) {
  const heard = [];
  for (const name of names) emitter.bind(name, (data) => heard.push([name, data]));
  return heard;
}

/** Waits until this holds; it is looked at whenever something may have happened. */
export async function until(what, holds, patience = 10_000) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await new Promise((turn) => setTimeout(turn, 10));
  }
}
