// The site's PHP reaches a browser: Predis with the site's own lines, and the helper in each of its three ways.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { promisify } from "node:util";

import { launch } from "../browser/chromium.mjs";
import { SECRET, test } from "../server.mjs";
import { freePort, hears, sessionId, Site, until } from "./site.mjs";

const HELPER = path.resolve(import.meta.dirname, "../../integrations/portico/send_notification.php");
const PREDIS = `
require_once '/usr/share/php/Predis/autoload.php';
$redis = new Predis\\Client(['scheme' => 'tcp', 'host' => getenv('REDIS_HOST'), 'port' => getenv('REDIS_PORT')]);
$redis->publish('notifications', json_encode(['type' => 'notification', 'message' => 'by Predis',
    'data' => ['id' => 123], 'timestamp' => date('c')]));
`;

let browser, site, redis, spool, variables;
before(async () => {
  const port = await freePort();
  variables = { REDIS_HOST: "127.0.0.1", REDIS_PORT: String(port) };
  redis = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", ""], { stdio: "ignore" });
  spool = await mkdtemp(path.join(tmpdir(), "deskbell-spool-"));
  [browser, site] = await Promise.all([launch(), Site.start(`portico.spool = "${spool}"\n`, variables)]);
  await until("Redis is heard", async () => (await site.bell.ask("GET", "/v1/stats")).redis.connected);
});
after(async () => {
  await browser?.close();
  await site?.close();
  redis?.kill("SIGKILL");
  await rm(spool, { recursive: true, force: true });
});

const php = (args, env) => promisify(execFile)("php", args, { env: { PATH: process.env.PATH, ...env } });

async function open(t) {
  const page = await site.page(t, browser, "client", { bookingfrontendsession: sessionId() });
  await page.evaluate(() => createWebSocketClient());
  await hears(page, "connected");
  return page;
}

test("Predis, by the site's own lines", async (t) => {
  const page = await open(t);
  await php(["-r", PREDIS], variables);
  const heard = await hears(page, "notification", { message: "by Predis" });
  assert.deepEqual([heard.data, heard.source], [{ id: 123 }, "redis"]);
});

test("the helper: by Redis, by HTTP, and by a file", async (t) => {
  const page = await open(t);
  const ways = {
    Redis: variables,
    HTTP: { DESKBELL_URL: site.url.replace(/:\d+$/, `:${site.bell.address.split(":")[1]}`), DESKBELL_APP_SECRET: SECRET },
    "a file": { DESKBELL_SPOOL: spool },
  };
  for (const [way, env] of Object.entries(ways)) {
    const { stdout } = await php([HELPER, `by ${way}`, "notification", '{"n":7}'], env);
    assert.equal(stdout, "Notification sent successfully\n");
    const heard = await hears(page, "notification", { message: `by ${way}` });
    assert.deepEqual([heard.data, heard.source], [{ n: 7 }, way === "Redis" ? "redis" : undefined]);
  }
  await until("the file is gone", async () => (await readdir(spool)).every((name) => !name.startsWith("websocket_")));
  // Nobody is left: Redis without a listener does not count, and the next way is taken.
  await site.bell.kill();
  const { stdout } = await php([HELPER, "while away"], { ...variables, ...ways.HTTP, ...ways["a file"] });
  assert.equal(stdout, "Notification sent successfully\n");
  assert.equal((await readdir(spool)).filter((name) => name.startsWith("websocket_")).length, 1);
  await site.bell.again();
  await hears(page, "notification", { message: "while away" });
  assert.deepEqual(page.faults, []);
});
