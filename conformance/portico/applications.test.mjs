// A session's applications that are not finished in Chromium, behind Apache, from each of the three places.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { promisify } from "node:util";

import { launch } from "../browser/chromium.mjs";
import { test } from "../server.mjs";
import { freePort, hears, sessionId, Site, until } from "./site.mjs";

const run = promisify(execFile);

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** A page in a session, past its welcome. */
async function open(t, site, session) {
  const page = await site.page(t, browser, "client", { bookingfrontendsession: session });
  await page.evaluate(() => createWebSocketClient());
  await hears(page, "connected", { roomId: `session_${session}` });
  return page;
}

const ask = (page) => page.evaluate(() => porticoWsClient.getPartialApplications());
const pushed = (page, count) => hears(page, "partial_applications", { isServerPush: true, count });

test("holds of the session, told whenever they change", async (t) => {
  const site = await Site.start();
  t.after(() => site.close());
  const session = sessionId();
  const page = await open(t, site, session);
  assert.equal((await ask(page)).count, 0);
  await site.bell.ask("PUT", "/v1/resources/resource:106", { capacity: 1, time_zone: "Europe/Oslo" });
  const start = Math.floor(Date.now() / 3_600_000 + 2) * 3_600_000;
  const claims = [{ resource: "resource:106", start, end: start + 3_600_000 }];
  const { reservation } = await site.bell.ask("POST", "/v1/holds", { claims, holder: `session_${session}`, meta: { building_name: "Hall" } });
  const [row] = (await pushed(page, 1)).applications;
  assert.deepEqual([row.status, row.building_name, row.resources[0].id], ["NEWPARTIAL1", "Hall", 106]);
  await site.bell.ask("POST", `/v1/holds/${reservation.id}/release`, { fence: reservation.fence });
  await pushed(page, 0);
  assert.equal((await ask(page)).count, 0);
});

test("the site's database, by a query", async (t) => {
  const database = await Database.start();
  t.after(() => database.stop());
  const session = sessionId();
  await database.run(`CREATE TABLE bb_application (id int, status text, session_id text, name text);
    INSERT INTO bb_application VALUES (7, 'NEWPARTIAL1', '${session}', 'Hall'), (8, 'NEWPARTIAL1', 'x', 'other')`);
  const query = "SELECT to_json(a) FROM bb_application a WHERE status = 'NEWPARTIAL1' AND session_id = $1 ORDER BY id";
  const site = await Site.start(`portico.applications = "postgres"\nportico.database = "${database.url}"\nportico.query = "${query}"\n`);
  t.after(() => site.close());
  const page = await open(t, site, session);
  const found = await ask(page);
  assert.deepEqual(found.applications, [{ id: 7, status: "NEWPARTIAL1", session_id: session, name: "Hall" }]);
});

test("the site itself, by a signed question", async (t) => {
  const asked = [];
  const backend = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ body: JSON.parse(body), signed: Boolean(request.headers["webhook-signature"]) });
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ applications: [{ id: 1, anything: { x: [1] } }] }));
  });
  await new Promise((listening) => backend.listen(0, "127.0.0.1", listening));
  t.after(() => backend.close());
  const site = await Site.start(`portico.applications = "callback"\nportico.callback = "http://127.0.0.1:${backend.address().port}/partial"\n`);
  t.after(() => site.close());
  const session = sessionId();
  const page = await open(t, site, session);
  assert.deepEqual((await ask(page)).applications, [{ id: 1, anything: { x: [1] } }]);
  assert.deepEqual(asked, [{ body: { type: "partial_applications", sessionId: session }, signed: true }]);
});

/** A PostgreSQL of its own. */
class Database {
  static async start() {
    const database = new Database();
    const [version] = (await readdir("/usr/lib/postgresql")).sort().reverse();
    const programs = path.join("/usr/lib/postgresql", version, "bin");
    database.folder = await mkdtemp(path.join(tmpdir(), "deskbell-portico-pg-"));
    // It refuses to run as root.
    const isRoot = process.getuid() === 0;
    if (isRoot) await run("chown", ["postgres", database.folder]);
    const as = (program, args) => (isRoot ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program, ...args]] : [program, args]);
    const data = path.join(database.folder, "data");
    await run(...as(path.join(programs, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]));
    const port = await freePort();
    const settings = ["-D", data, "-p", String(port), "-k", database.folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"];
    database.process = spawn(...as(path.join(programs, "postgres"), settings), { stdio: "ignore" });
    database.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    database.psql = path.join(programs, "psql");
    await until("the database answers", () => database.run("SELECT 1").then(() => true, () => false));
    return database;
  }

  run(sql) {
    return run(this.psql, [this.url, "-v", "ON_ERROR_STOP=1", "-c", sql]);
  }

  async stop() {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGINT");
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
