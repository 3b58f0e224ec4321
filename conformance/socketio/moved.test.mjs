// An application that has moved as docs/socketio.md says: the page's own nginx lines, the page's own settings, the file
// that takes the place of the application's server, and a page of its dashboard that nobody has changed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, createServer as listener } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";

import { transform } from "sucrase";

import { launch, open } from "../browser/chromium.mjs";
import { SECRET, test } from "../server.mjs";
import { Site, tokenOf, until } from "./people.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const SCRIPT = path.join(ROOT, "conformance/node_modules/socket.io-client/dist/socket.io.min.js");

/** What the page of the documentation shows in a block of this kind. */
async function shown(kind) {
  const text = await readFile(path.join(ROOT, "docs/socketio.md"), "utf8");
  const [, block] = text.match(new RegExp(`\`\`\`${kind}[^\\n]*\\n([\\s\\S]*?)\`\`\``));
  return block;
}

/** The dashboard as it always was: its hook sends a word of its own as the token, and the cookie says who it is. */
const PAGE = `<!doctype html><title>Dashboard</title><link rel="icon" href="data:,"><script src="/socket.io.js"></script><script>
  window.state = { connects: 0, known: 0, errors: [], events: [], transports: [] };
  const socket = window.socket = io(location.origin, { path: "/api/socket", transports: window.name === "polling" ? ["polling"] : ["websocket", "polling"],
    timeout: 20000, reconnection: true, reconnectionAttempts: 5, reconnectionDelay: 100, reconnectionDelayMax: 500 });
  socket.on("connect", () => {
    state.connects += 1;
    state.transports.push(socket.io.engine.transport.name);
    socket.emit("authenticate", { token: "test_token", userId: "client-1", role: "CLIENT" });
  });
  socket.on("authenticated", () => (state.known += 1));
  for (const name of ["connect_error", "auth_error", "authentication_error"]) socket.on(name, (error) => state.errors.push(name + " " + (error.error ?? error.message)));
  for (const name of ["booking_update", "payment_update", "payout_update", "notification"]) socket.on(name, (event) => state.events.push([event.type, event.action, event.data.status ?? event.data.title]));
</script>`;

let site, app, nginx, folder, origin, browser;
before(async () => {
  site = await Site.start({ config: await shown("toml test") });
  Object.assign(process.env, { DESKBELL_URL: site.server.http, DESKBELL_APP_SECRET: SECRET });
  const { code } = transform(await readFile(path.join(ROOT, "integrations/nextjs/lib/socket-server.ts"), "utf8"), { transforms: ["typescript"] });
  const routes = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const script = await readFile(SCRIPT);
  app = createServer(async (request, answer) => {
    if (request.url === "/socket.io.js") return answer.setHeader("content-type", "text/javascript").end(script);
    if (request.url === "/login") return answer.setHeader("set-cookie", `auth-token=${tokenOf("client-1")}; HttpOnly; SameSite=Lax; Path=/`).end("{}");
    if (request.url.startsWith("/accept/")) {
      await routes.broadcastBookingAccepted({ id: request.url.slice(8), status: "CONFIRMED" }, { id: "client-1" }, { id: "provider-1" });
      await routes.broadcastNotification(["client-1"], "info", "Accepted", "See you at ten");
      return answer.end("{}");
    }
    answer.setHeader("content-type", "text/html").end(PAGE);
  });
  await new Promise((done) => app.listen(0, "127.0.0.1", done));
  [folder, nginx] = await proxy(app.address().port);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  nginx?.kill();
  app?.closeAllConnections();
  app?.close();
  await site?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** nginx with the lines that the documentation shows, in front of both. */
async function proxy(next) {
  const free = listener();
  await new Promise((done) => free.listen(0, "127.0.0.1", done));
  const { port } = free.address();
  await new Promise((done) => free.close(done));
  const place = await mkdtemp(path.join(tmpdir(), "deskbell-moved-"));
  const lines = (await shown("nginx")).replace("http://127.0.0.1:8080", site.server.http).replace("127.0.0.1:3000", `127.0.0.1:${next}`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${place}/${kind};`).join(" ");
  await writeFile(path.join(place, "nginx.conf"), `daemon off; master_process off; pid ${place}/pid; error_log ${place}/error.log;
    events { worker_connections 256; } http { access_log off; ${temporary} server { listen 127.0.0.1:${port}; ${lines} } }`);
  const child = spawn("/usr/sbin/nginx", ["-p", place, "-c", path.join(place, "nginx.conf"), "-e", path.join(place, "error.log")], { stdio: "inherit" });
  origin = `http://127.0.0.1:${port}`;
  await until("nginx", () => new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => (socket.end(), done(true))).on("error", () => done(false));
  }));
  return [place, child];
}

async function dashboard(transport) {
  const context = await browser.newContext();
  await context.addInitScript((name) => (window.name = name), transport);
  const page = await open(context, origin);
  return { page, context, state: () => page.evaluate(() => window.state) };
}

for (const transport of ["websocket", "polling"]) {
  test(`${transport}: a dashboard that nobody has changed hears what happens, once, also over a break`, async (t) => {
    const { page, context, state } = await dashboard(transport);
    t.after(() => context.close());
    await page.waitForFunction(() => window.state.errors.length > 0);
    assert.match((await state()).errors[0], /^auth_error/, "who is not logged in is told so, and stays connected");
    await page.evaluate(() => fetch("/login"));
    await page.reload();
    await page.waitForFunction(() => window.state.known === 1);
    await page.evaluate(() => fetch("/accept/b-1"));
    await page.waitForFunction(() => window.state.events.length === 2);
    await page.evaluate(() => window.socket.io.engine.close());
    await page.evaluate(() => fetch("/accept/b-2"));
    await page.waitForFunction(() => window.state.connects === 2 && window.state.events.length === 4);
    await page.evaluate(() => fetch("/accept/b-3"));
    await page.waitForFunction(() => window.state.events.length >= 6);
    const { events, errors, transports } = await state();
    const both = [["booking", "accepted", "CONFIRMED"], ["notification", "new_notification", "Accepted"]];
    assert.deepEqual(events, [...both, ...both, ...both]);
    assert.deepEqual([errors, transports], [[], [transport, transport]]);
    assert.deepEqual(page.faults, []);
  });
}

test("the route that was the application's own is Deskbell's, with its secret", async () => {
  assert.equal((await fetch(`${origin}/api/socket`)).status, 401);
  const status = await fetch(`${origin}/api/socket`, { headers: { authorization: `Bearer ${SECRET}` } });
  assert.equal((await status.json()).message, "Socket.IO server is running");
});
