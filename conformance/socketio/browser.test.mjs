// socket.io-client as browsers load it, in headless Chromium: from a page of the site itself and from another origin.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { launch, open } from "../browser/chromium.mjs";
import { test } from "../server.mjs";
import { CONFIG, Site, TRANSPORTS, tokenOf } from "./people.mjs";

const SCRIPT = path.resolve(import.meta.dirname, "../node_modules/socket.io-client/dist/socket.io.min.js");

let site, pages, browser, context, page;
before(async () => {
  const script = await readFile(SCRIPT);
  pages = createServer((request, answer) => {
    const isScript = request.url === "/socket.io.js";
    answer.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    answer.end(isScript ? script : '<!doctype html><title>A dashboard</title><link rel="icon" href="data:,"><script src="/socket.io.js"></script>');
  });
  await new Promise((done) => pages.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${pages.address().port}`;
  site = await Site.start({ config: `cors.origins = ["${origin}"]\n${CONFIG}` });
  browser = await launch();
  context = await browser.newContext();
  page = await open(context, origin);
});
after(async () => {
  await browser?.close();
  pages?.close();
  await site?.close();
});

/** Connects in the page under a name. */
function connect(name, options) {
  return page.evaluate(async ([name, url, options]) => {
    const socket = io(url, { forceNew: true, withCredentials: true, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options });
    const kept = (window[name] = { socket, heard: [], connects: 0, errors: [] });
    socket.onAny((event, data) => kept.heard.push([event, data]));
    socket.on("connect_error", (error) => kept.errors.push(error.message));
    await new Promise((done) => socket.on("connect", () => (kept.connects++, done())));
  }, [name, site.server.http, options]);
}

const heard = (name, event) => page.evaluate(([name, event]) => window[name].heard.filter(([said]) => said === event).map(([, data]) => data), [name, event]);

async function wait(name, event, count) {
  await page.waitForFunction(([name, event, count]) => window[name].heard.filter(([said]) => said === event).length >= count, [name, event, count]);
  return heard(name, event);
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  test(`${name}: from another origin, with credentials; after a cut exactly what was missed`, async () => {
    const user = `br-${name}`;
    await connect(name, { transports, auth: { token: tokenOf(user) } });
    await page.waitForFunction(([name, last]) => window[name].socket.io.engine.transport.name === last, [name, name === "polling" ? "polling" : "websocket"]);
    assert.deepEqual(await page.evaluate((name) => window[name].socket.emitWithAck("join_room", "lobby"), name), { success: true });
    await site.publish(`user_${user}`, "n", 0);
    await wait(name, "n", 1);
    await page.evaluate((name) => window[name].socket.io.engine.close(), name);
    await site.publish(`user_${user}`, "n", 1);
    await site.publish("lobby", "n", 2);
    await page.waitForFunction((name) => window[name].connects === 2, name);
    assert.equal(await page.evaluate((name) => window[name].socket.recovered, name), true);
    await site.publish("lobby", "n", 3);
    assert.deepEqual(await wait(name, "n", 4), [0, 1, 2, 3]);
    assert.deepEqual(await page.evaluate((name) => window[name].errors, name), []);
    await page.evaluate((name) => window[name].socket.disconnect(), name);
  });
}

test("the marketplace's page: websocket first on the route's own path, and a session cookie that says who it is", async (t) => {
  const address = new URL(site.server.http);
  await context.addCookies([{ name: "auth-token", value: tokenOf("br-cookie"), domain: address.hostname, path: "/", httpOnly: true, sameSite: "Lax" }]);
  t.after(() => context.clearCookies());
  await connect("market", { path: "/api/socket", transports: ["websocket", "polling"] });
  await page.evaluate(() => new Promise((done) => {
    market.socket.once("authenticated", done);
    market.socket.emit("authenticate", { userId: "br-cookie", role: "CLIENT" });
  }));
  await site.tell("booking", "accepted", { id: "b-1" }, ["br-cookie"]);
  assert.deepEqual((await wait("market", "booking_update", 1)).map((event) => event.action), ["accepted"]);
});

test("a page of an origin that nobody has listed gets nothing over polling and no WebSocket", async (t) => {
  const stranger = await open(await browser.newContext(), `http://localhost:${pages.address().port}`);
  t.after(() => stranger.context().close());
  for (const transports of [["polling"], ["websocket"]]) {
    const error = await stranger.evaluate(([url, transports]) => new Promise((done) => {
      const socket = io(url, { forceNew: true, transports, withCredentials: true, reconnection: false });
      socket.on("connect", () => done("connected"));
      socket.on("connect_error", (error) => done(error.message));
    }), [site.server.http, transports]);
    assert.notEqual(error, "connected", transports[0]);
  }
});
