// A PorticoEstate site: Deskbell behind Apache as deploy/ configures it, which serves the site's pages as well.
import { spawn } from "node:child_process";
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { Server } from "../server.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const MODULES = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "headers", "mime"];

/** A port that is free now. */
export function freePort() {
  return new Promise((found) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Looks again and again until something holds; then gives it. */
export async function until(what, look) {
  const late = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > late) throw new Error(`it never came about that ${what}`);
    await pause(20);
  }
}

/** The id of a session that nobody guesses. */
export const sessionId = () => crypto.randomUUID().replaceAll("-", "");

export class Site {
  /** `config` is Deskbell's; pages may enter rooms of entities. */
  static async start(config = "", env = {}) {
    const site = new Site();
    site.bell = await Server.start({ config: `drain = "500ms"\nportico.relays = true\ntrusted_proxies = ["127.0.0.1"]\n${config}`, env });
    site.folder = await mkdtemp(path.join(tmpdir(), "deskbell-site-"));
    await cp(path.join(ROOT, "integrations/portico/client.js"), path.join(site.folder, "client.js"));
    await cp(path.join(import.meta.dirname, "next-client.js"), path.join(site.folder, "next-client.js"));
    for (const page of ["client", "next-client"]) {
      const text = `<!doctype html><meta charset="utf-8"><title>${page}</title><body><script src="${page}.js"></script>`;
      await writeFile(path.join(site.folder, `${page}.html`), text);
    }
    await site.#startApache();
    return site;
  }

  async #startApache() {
    const port = await freePort();
    const lines = await readFile(path.join(ROOT, "deploy/apache/deskbell.conf"), "utf8");
    const modules = MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n");
    const config = `ServerRoot ${this.folder}
ServerName localhost
PidFile ${this.folder}/pid
Mutex file:${this.folder} default
ErrorLog ${this.folder}/error.log
Listen 127.0.0.1:${port}
User www-data
Group www-data
${modules}
TypesConfig /etc/mime.types
DocumentRoot ${this.folder}
${lines.replaceAll("127.0.0.1:8080", this.bell.address)}`;
    const file = path.join(this.folder, "apache.conf");
    await writeFile(file, config);
    // Its workers are somebody else.
    await chmod(this.folder, 0o755);
    this.apache = spawn("/usr/sbin/apache2", ["-f", file, "-DFOREGROUND"], { stdio: "ignore" });
    this.url = `http://127.0.0.1:${port}`;
    await until("Apache answers", () => fetch(`${this.url}/client.html`).then((answer) => answer.ok, () => false));
  }

  /** What the site says of a visitor's session to a page that asks. */
  async knows(session) {
    await writeFile(path.join(this.folder, "session.json"), JSON.stringify({ sessionId: session }));
  }

  /** A page of a browser of its own, with cookies; what it is told is in `told`. */
  async page(t, browser, name, cookies = {}) {
    const context = await browser.newContext();
    t.after(() => context.close());
    await context.addCookies(Object.entries(cookies).map(([cookie, value]) => ({ name: cookie, value, url: this.url })));
    const page = await context.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(error.message));
    await page.addInitScript(() => {
      window.told = [];
      const dispatch = window.dispatchEvent.bind(window);
      window.dispatchEvent = (event) => {
        if (event.type.startsWith("portico:")) window.told.push({ name: event.type.slice(8), detail: event.detail });
        return dispatch(event);
      };
    });
    await page.goto(`${this.url}/${name}.html`);
    return page;
  }

  /** A connection that says one thing and then nothing any more, and answers nothing. */
  hanging(message) {
    const { hostname, port } = new URL(this.url);
    const socket = connect(Number(port), hostname);
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    socket.write(`GET /wss HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`);
    socket.once("data", () => {
      // A short text, masked with nothing.
      const text = Buffer.from(JSON.stringify(message));
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
    });
    socket.on("error", () => {});
    return socket;
  }

  /** The site's backend says something in a room. */
  say(room, message) {
    return this.bell.ask("POST", "/v1/publish", { channel: room, name: message.type, data: message });
  }

  async close() {
    this.apache?.kill("SIGTERM");
    await this.bell.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits until a page was told something of a name that fits; gives its detail. */
export function hears(page, name, fits = {}) {
  return page.waitForFunction(
    ([wanted, parts]) => {
      const found = window.told.find((one) => one.name === wanted && Object.entries(parts).every(([key, value]) => one.detail?.[key] === value));
      return found && { detail: found.detail };
    },
    [name, fits],
  ).then((handle) => handle.jsonValue()).then((found) => found.detail);
}
