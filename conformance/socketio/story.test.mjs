// The marketplace's story as people see it: three dashboards in Chromium, a provider who accepts with a click, and a
// network that breaks in the middle.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before } from "node:test";

import { launch, open } from "../browser/chromium.mjs";
import { test } from "../server.mjs";
import { CONFIG, Site, token, tokenOf } from "./people.mjs";

const SCRIPT = path.resolve(import.meta.dirname, "../node_modules/socket.io-client/dist/socket.io.min.js");

/** A dashboard: its hook connects and says who looks, and each event that comes is a line of the page. */
const PAGE = `<!doctype html><title>Dashboard</title><link rel="icon" href="data:,"><script src="/socket.io.js"></script>
<button id="accept">Accept</button><ul id="lines"></ul><script>
  const asked = new URLSearchParams(location.search);
  const line = (kind, text) => {
    const item = document.createElement("li");
    item.dataset.kind = kind;
    item.textContent = text;
    lines.append(item);
  };
  window.state = { connects: 0, known: 0 };
  window.socket = io(asked.get("server"), { path: "/api/socket", transports: asked.get("transports").split(","), reconnectionDelay: 100, reconnectionDelayMax: 500 });
  socket.on("connect", () => {
    state.connects += 1;
    socket.emit("authenticate", { token: asked.get("token"), userId: asked.get("user"), role: asked.get("role") });
  });
  socket.on("authenticated", () => (state.known += 1));
  for (const name of ["connect_error", "auth_error", "authentication_error"]) socket.on(name, (error) => line(name, error.error ?? error.message));
  socket.on("room_error", (error) => line("room_error", error.room + " " + error.code));
  for (const name of ["booking_update", "payment_update", "payout_update"]) socket.on(name, (event) => line(name, event.action));
  socket.on("notification", (event) => line("notification", event.data.title));
  accept.onclick = () => fetch("/accept/" + asked.get("booking"), { method: "POST" });
</script>`;

let site, app, browser, origin;
before(async () => {
  const script = await readFile(SCRIPT);
  app = createServer(async (request, answer) => {
    if (request.url === "/socket.io.js") return answer.setHeader("content-type", "text/javascript").end(script);
    if (request.method === "POST") {
      // What the application's own route does when its provider says yes.
      await site.server.ask("POST", `/v1/bookings/${request.url.slice("/accept/".length)}/approve`, {});
      return answer.end("{}");
    }
    answer.setHeader("content-type", "text/html").end(PAGE);
  });
  await new Promise((done) => app.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${app.address().port}`;
  site = await Site.start({ config: `cors.origins = ["${origin}"]\n${CONFIG}` });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  app?.close();
  await site?.close();
});

/** A dashboard of somebody, in a browser profile of its own. */
async function dashboard({ user, role, proof = tokenOf(user, role), transports, booking = "" }) {
  const query = new URLSearchParams({ server: site.server.http, user, role, token: proof, transports, booking });
  return open(await browser.newContext(), `${origin}/?${query}`);
}

const known = (page, times = 1) => page.waitForFunction((times) => state.known >= times, times);

/** The page's lines of these kinds, in their order. */
async function lines(page, ...kinds) {
  const all = await page.locator("#lines li").evaluateAll((items) => items.map((item) => [item.dataset.kind, item.textContent]));
  return all.filter(([kind]) => kinds.length === 0 || kinds.includes(kind)).map(([kind, text]) => `${kind} ${text}`);
}

const shows = (page, kind, text) => page.locator(`#lines li[data-kind="${kind}"]`, { hasText: text }).first().waitFor({ state: "attached" });

/** Nothing more is on its way to this page: an answer comes behind it. */
const settled = (page) => page.evaluate(() => socket.emitWithAck("leave_room", "nowhere"));

/** A request for a booking at this provider's, which waits for a yes. */
async function requested(client, provider) {
  const resource = `work-of-${provider}`;
  await site.server.ask("PUT", `/v1/resources/${resource}`, { capacity: 1, time_zone: "UTC", provider, policy: { approval: true } });
  const start = Math.ceil(Date.now() / 86_400_000 + 2) * 86_400_000;
  const { reservation } = await site.server.ask("POST", "/v1/bookings", { claims: [{ resource, start, end: start + 3_600_000 }], holder: client });
  return reservation.id;
}

for (const [name, transports] of Object.entries({ "websocket first": "websocket,polling", "polling only": "polling", "polling, then a websocket": "polling,websocket" })) {
  test(`${name}: a provider's yes, the payment, the payout and a notification, each once, over a break in the middle`, async () => {
    const tag = transports.replace(",", "-");
    const [ann, pat, eve] = [`client-${tag}`, `provider-${tag}`, `stranger-${tag}`];
    const booking = await requested(ann, pat);
    const client = await dashboard({ user: ann, role: "CLIENT", transports });
    const provider = await dashboard({ user: pat, role: "PROVIDER", transports, booking });
    const stranger = await dashboard({ user: eve, role: "CLIENT", transports });
    await Promise.all([client, provider, stranger].map((page) => known(page)));
    assert.deepEqual(await client.evaluate((room) => socket.emitWithAck("join_room", room), `booking_${booking}`), { success: true });

    await provider.click("#accept");
    await shows(client, "booking_update", "confirmed");
    await shows(provider, "booking_update", "confirmed");
    await settled(client);
    // Its user's room and the booking's own both show it.
    assert.deepEqual((await lines(client, "booking_update")).filter((line) => line.endsWith("confirmed")), ["booking_update confirmed"]);

    // The client's network breaks; meanwhile the money moves.
    await client.evaluate(() => socket.io.engine.close());
    await site.tell("payment", "status_changed", { id: "p-1", status: "ESCROW" }, [ann, pat]);
    await site.tell("notification", "info", { title: "Paid", message: "The money waits." }, [ann]);
    await client.waitForFunction(() => state.connects === 2 && state.known === 2);
    await site.tell("payout", "completed", { id: "po-1", amount: 108 }, [pat]);
    await site.tell("notification", "success", { title: "Thank you", message: "Please rate." }, [ann]);
    await shows(client, "notification", "Thank you");
    await shows(provider, "payout_update", "completed");
    await Promise.all([client, provider, stranger].map(settled));
    const money = ["payment_update", "payout_update", "notification"];
    assert.deepEqual((await lines(client, ...money)).sort(), ["notification Paid", "notification Thank you", "payment_update status_changed"]);
    assert.deepEqual(await lines(provider, ...money), ["payment_update status_changed", "payout_update completed"]);
    assert.deepEqual((await lines(client, "booking_update")).filter((line) => line.endsWith("confirmed")).length, 1, "nor does it come again");
    assert.deepEqual(await lines(stranger), [], "nobody else has heard any of it");

    // A foreign room is refused as a room, and the connection stays who it is.
    for (const room of [`user_${ann}`, `booking_${booking}`, "role_ADMIN"]) {
      const refused = await stranger.evaluate((room) => socket.emitWithAck("join_room", room), room);
      assert.deepEqual([refused.success, refused.code], [false, "denied"], room);
    }
    await site.tell("booking", "accepted", { id: "b-2" }, [ann]);
    await shows(client, "booking_update", "accepted");
    await settled(stranger);
    assert.deepEqual(await lines(stranger), [`room_error user_${ann} denied`, `room_error booking_${booking} denied`, "room_error role_ADMIN denied"]);
    assert.deepEqual([client, provider, stranger].flatMap((page) => page.faults), []);
    await Promise.all([client, provider, stranger].map((page) => page.context().close()));
  });
}

test("a dashboard with a wrong token hears so under both names, and nothing of anybody", async () => {
  const wrong = { user: "client-9", role: "CLIENT", transports: "websocket,polling" };
  for (const proof of ["test_token", token({ id: "client-9" }, "a-secret-that-is-not-the-sites-own"), tokenOf("client-8")]) {
    const page = await dashboard({ ...wrong, proof });
    await Promise.all(["auth_error", "authentication_error"].map((kind) => shows(page, kind, "Authentication failed")));
    assert.equal((await page.evaluate(() => socket.emitWithAck("join_room", "user_client-9"))).success, false);
    await site.tell("booking", "accepted", { id: "secret" }, ["client-9"]);
    await settled(page);
    assert.deepEqual(await lines(page), ["auth_error Authentication failed", "authentication_error Authentication failed", "room_error user_client-9 denied"]);
    assert.deepEqual(await page.evaluate(() => [state.known, socket.connected]), [0, true]);
    await page.context().close();
  }
});
