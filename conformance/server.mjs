// Starts the binary under test for the Node suites, on a free port and with a data folder of its own.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { test as run } from "node:test";

export const SECRET = "the-secret-of-the-conformance-suites";
const ROOT = path.resolve(import.meta.dirname, "..");
const BINARY = process.env.BINARY_UNDER_TEST ?? path.join(ROOT, "target/debug/deskbell");

/** A test that fails under its own name when what it waits for never comes. Options may stand before its body. */
export function test(name, ...rest) {
  const body = rest.pop();
  // What is no function would count as a test that has passed.
  if (typeof body !== "function") throw new TypeError(`${name} has no body`);
  return run(name, { timeout: 60_000, ...rest[0] }, body);
}

/** A server that can be stopped, started again on the same port and data, and asked to publish. */
export class Server {
  #config;
  #flags;
  #env;
  #child;
  #ended;

  static async start({ config = "", flags = [], env = {} } = {}) {
    const server = new Server();
    server.#config = config;
    server.#flags = flags;
    server.#env = env;
    server.data = await mkdtemp(path.join(tmpdir(), "deskbell-conformance-"));
    await server.#spawn("127.0.0.1:0");
    return server;
  }

  async #spawn(listen) {
    const file = path.join(this.data, "deskbell.toml");
    await writeFile(file, this.#config);
    const env = { ...process.env, DESKBELL_APP_ID: "1001", DESKBELL_APP_KEY: "key", DESKBELL_APP_SECRET: SECRET, ...this.#env };
    const flags = ["serve", "--config", file, "--data", this.data, "--listen", listen, ...this.#flags];
    this.#child = spawn(BINARY, flags, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.#ended = new Promise((done) => this.#child.once("exit", (code, signal) => done(code ?? signal)));
    const log = [];
    const lines = readline.createInterface({ input: this.#child.stderr });
    const ready = new Promise((found) => {
      // Whoever does not read a pipe stops the one who writes to it, so this goes on to the end.
      lines.on("line", (line) => {
        log.push(line);
        const address = line.match(/listening on https?:\/\/(\S+)/);
        if (address) found(address[1]);
      });
    });
    const failed = this.#ended.then((status) => {
      throw new Error(`${BINARY} ended with ${status}:\n${log.join("\n")}`);
    });
    failed.catch(() => {});
    this.address = await Promise.race([ready, failed]);
    this.http = `http://${this.address}`;
    this.ws = `ws://${this.address}/v1/ws`;
  }

  /** Stops cleanly, as a deploy does. */
  async stop() {
    this.#child.kill("SIGTERM");
    const status = await this.#ended;
    if (status !== 0) throw new Error(`the server ended with ${status}`);
  }

  /** Starts again where it was. */
  async again() {
    await this.#spawn(this.address);
  }

  /** Ends it and everything it wrote. */
  async close() {
    this.#child.kill("SIGKILL");
    await this.#ended;
    await rm(this.data, { recursive: true, force: true });
  }

  /** Ends at once, as a crash does. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks as the backend; gives the answer's JSON, which must be a success. */
  async ask(method, path, body, headers = { authorization: `Bearer ${SECRET}` }) {
    const answer = await fetch(`${this.http}${path}`, {
      method, headers: { "content-type": "application/json", ...headers }, body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Publishes as a backend; gives the event's id. */
  async publish(channel, data, name = "n") {
    const answer = await fetch(`${this.http}/v1/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
      body: JSON.stringify({ channel, name, data }),
    });
    if (!answer.ok) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).id;
  }
}
