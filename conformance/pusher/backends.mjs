// Who speaks for the application in the story: npm's `pusher`, PyPI's `pusher`, or Laravel.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";

import Library from "pusher";

import { SECRET } from "../server.mjs";
import { MASTER_KEY, until } from "./people.mjs";

const HERE = import.meta.dirname;

/** npm's `pusher`, in this process. */
export class NpmBackend {
  static async start({ host, port }) {
    const backend = new NpmBackend();
    backend.pusher = new Library({
      appId: "1001", key: "key", secret: SECRET, host, port: String(port), useTLS: false, encryptionMasterKeyBase64: MASTER_KEY,
    });
    return backend;
  }

  async trigger(channels, event, data, more = {}) {
    return (await this.pusher.trigger(channels, event, data, more)).json();
  }

  async batch(batch) {
    return (await this.pusher.triggerBatch(batch)).json();
  }

  async sendToUser(user, event, data) {
    return (await this.pusher.sendToUser(user, event, data)).json();
  }

  async terminate(user) {
    return (await this.pusher.terminateUserConnections(user)).json();
  }

  async channels(params) {
    return (await this.pusher.get({ path: "/channels", params })).json();
  }

  async channel(name, params) {
    return (await this.pusher.get({ path: `/channels/${name}`, params })).json();
  }

  async users(name) {
    return (await this.pusher.get({ path: `/channels/${name}/users` })).json();
  }

  async authorize(socket, channel, { user, info }) {
    const shown = { user_id: user, ...(info && { user_info: { name: info } }) };
    return this.pusher.authorizeChannel(socket, channel, channel.startsWith("presence-") ? shown : undefined);
  }

  async authenticate(socket, { user, watchlist }) {
    return this.pusher.authenticateUser(socket, { id: user, ...(watchlist && { watchlist: watchlist.split(",") }) });
  }

  async webhook(headers, rawBody) {
    const hook = this.pusher.webhook({ headers, rawBody });
    if (!hook.isValid()) throw new Error(`the signature of this webhook does not hold: ${rawBody}`);
    return hook.getEvents();
  }

  async close() {}
}

/** Every act of the story goes somewhere else by its name. */
class Remote {
  trigger(channels, event, data, more = {}) {
    return this.act("trigger", channels, event, data, more);
  }
}
for (const name of ["batch", "sendToUser", "terminate", "channels", "channel", "users", "webhook"]) {
  Remote.prototype[name] = function (...given) {
    return this.act(name, ...given);
  };
}

/** PyPI's `pusher`, in a process of its own. */
export class PyBackend extends Remote {
  static async start({ host, port }) {
    const backend = new PyBackend();
    const python = path.resolve(HERE, "../../.work/python/bin/python");
    const env = { ...process.env, HOST: host, PORT: String(port), SECRET, MASTER_KEY };
    backend.child = spawn(python, [path.join(HERE, "backend.py")], { env, stdio: ["pipe", "pipe", "inherit"] });
    backend.lines = readline.createInterface({ input: backend.child.stdout })[Symbol.asyncIterator]();
    backend.turn = Promise.resolve();
    return backend;
  }

  act(name, ...given) {
    // One after the other, so that each answer is its question's.
    const answer = this.turn.then(async () => {
      this.child.stdin.write(`${JSON.stringify({ name, with: given })}\n`);
      const { value } = await this.lines.next();
      const said = JSON.parse(value);
      if (said.failed) throw new Error(said.failed);
      return said.is;
    });
    this.turn = answer.catch(() => {});
    return answer;
  }

  authorize(socket, channel, who) {
    return this.act("authorize", socket, channel, who);
  }

  authenticate(socket, who) {
    return this.act("authenticate", socket, who);
  }

  async close() {
    this.child.stdin.end();
    await once(this.child, "exit");
  }
}

/** Debian's Laravel, with its own routes and drivers. */
export class LaravelBackend extends Remote {
  /** The same with other settings, on a port that is known before. */
  static with(own, env) {
    return { start: (server) => LaravelBackend.start(server, own, env) };
  }

  static async start({ host, port }, own, env = {}) {
    const backend = new LaravelBackend();
    backend.folder = await mkdtemp(path.join(tmpdir(), "deskbell-laravel-"));
    await cp(path.join(HERE, "laravel"), backend.folder, { recursive: true });
    backend.port = own ?? (await freePort());
    const flags = ["-d", "error_reporting=E_ALL & ~E_DEPRECATED", "-S", `127.0.0.1:${backend.port}`, "-t", "public", "public/index.php"];
    backend.child = spawn("php", flags, {
      cwd: backend.folder, stdio: "ignore",
      env: {
        ...process.env, PUSHER_APP_ID: "1001", PUSHER_APP_KEY: "key", PUSHER_APP_SECRET: SECRET, PUSHER_HOST: host,
        PUSHER_PORT: String(port), PUSHER_SCHEME: "http", PUSHER_MASTER_KEY: MASTER_KEY, ...env,
      },
    });
    await until("Laravel", () => fetch(`${backend.url}/`).then(() => true, () => false));
    return backend;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async act(name, ...given) {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const answer = await fetch(`${this.url}/act`, { method: "POST", headers, body: JSON.stringify({ name, with: given }) });
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${(await answer.text()).slice(0, 2_000)}`);
    return answer.json();
  }

  /** Asks Laravel's own `/broadcasting/auth`, as a page does. */
  authorize(socket, channel, who) {
    return this.ask("/broadcasting/auth", { socket_id: socket, channel_name: channel, ...who });
  }

  authenticate(socket, who) {
    return this.ask("/broadcasting/user-auth", { socket_id: socket, ...who });
  }

  async ask(route, fields) {
    const answer = await fetch(`${this.url}${route}`, { method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(fields) });
    if (answer.status === 403) return null;
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${(await answer.text()).slice(0, 2_000)}`);
    return answer.json();
  }

  async close() {
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A Redis of its own. */
export class Redis {
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    const flags = ["--port", String(redis.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()];
    redis.child = spawn("redis-server", flags, { stdio: "ignore" });
    const answers = () => new Promise((said) => {
      const socket = net.connect(redis.port, "127.0.0.1", () => said(true)).on("error", () => said(false));
      socket.on("connect", () => socket.destroy());
    });
    await until("Redis", answers);
    return redis;
  }

  async close() {
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
  }
}

export async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
