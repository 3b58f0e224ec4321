// A marketplace's dashboards as its Next.js application has them, told anew: a hook for each dashboard, a backend that
// tells what happened over its own route, and a network that breaks in between.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { io } from "socket.io-client";

import { SECRET, test } from "../server.mjs";
import { Site, cut, next, token, tokenOf, until } from "./people.mjs";

let site;
before(async () => {
  site = await Site.start({ config: `
drain = "1s"
[limit]
rate = 20
burst = 40

# The parties of a booking are known by the token of each.
[[access]]
pattern = "booking_*"
allow = ["subscribe"]
to = "role:ADMIN"
` });
});
after(() => site.close());

/** What the hook of a dashboard does: it connects, says who looks, keeps what comes, and calls the page back. */
class Dashboard {
  constructor({ userId, role, token, ...callbacks }) {
    this.events = [];
    this.state = { connected: false, connecting: true, error: null, lastEvent: null, attempts: 0 };
    this.socket = io(site.server.http, {
      path: "/api/socket", transports: ["websocket", "polling"], timeout: 20_000,
      reconnection: true, reconnectionAttempts: 5, reconnectionDelay: 100, reconnectionDelayMax: 500, forceNew: true,
    });
    site.clients.push(this.socket);
    this.socket.heard = this.events;
    this.socket.on("connect", () => {
      Object.assign(this.state, { connected: true, connecting: false, error: null, attempts: 0 });
      this.socket.emit("authenticate", { token, userId, role });
    });
    this.socket.on("disconnect", () => (this.state.connected = false));
    this.socket.on("connect_error", (error) => Object.assign(this.state, { error: error.message, connecting: false }));
    // One generation of the hook listens to this name, the next to the other.
    for (const name of ["authentication_error", "auth_error"]) {
      this.socket.on(name, ({ error }) => (this.state.error = error));
    }
    for (const [name, callback] of Object.entries({
      booking_update: "onBookingUpdate", payment_update: "onPaymentUpdate", payout_update: "onPayoutUpdate", notification: "onNotification",
    })) {
      this.socket.on(name, (event) => {
        this.events.push(event);
        this.state.lastEvent = event;
        callbacks[callback]?.(event);
      });
    }
  }

  async known() {
    return next(this.socket, "authenticated");
  }

  of(type) {
    return this.events.filter((event) => event.type === type);
  }
}

test("a booking from its acceptance to the payout, over a connection that breaks in the middle", async () => {
  const toasts = [];
  const client = new Dashboard({ userId: "client-1", role: "CLIENT", token: tokenOf("client-1", "CLIENT"),
    onBookingUpdate: (event) => event.action === "accepted" && toasts.push("Your booking has been accepted!") });
  const provider = new Dashboard({ userId: "provider-1", role: "PROVIDER", token: tokenOf("provider-1", "PROVIDER"),
    onBookingUpdate: (event) => event.action === "created" && toasts.push("New booking request!") });
  const stranger = new Dashboard({ userId: "client-2", role: "CLIENT", token: tokenOf("client-2", "CLIENT") });
  const known = await Promise.all([client, provider, stranger].map((one) => one.known()));
  assert.deepEqual(known[0], { success: true, userId: "client-1", role: "CLIENT" });
  const status = await site.server.ask("GET", "/api/socket");
  assert.deepEqual([status.connectedUsers, status.connections], [3, 3]);

  const booking = { id: "booking_123", status: "PENDING", service: { name: "Plumbing" }, client: { name: "C" } };
  await site.tell("booking", "created", booking, ["provider-1"]);
  await until("the request", () => provider.of("booking").length === 1);
  // The provider accepts over REST, and the client's dashboard hears of it once.
  const answer = await site.tell("booking", "accepted", { ...booking, status: "CONFIRMED" }, ["client-1"]);
  assert.deepEqual(answer, { success: true, message: "Event broadcasted successfully" });
  await until("the acceptance", () => client.of("booking").length === 1);
  const [event] = client.of("booking");
  assert.deepEqual([event.type, event.action, event.data.status], ["booking", "accepted", "CONFIRMED"]);
  assert.match(event.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  // The connection breaks, and the payment is made meanwhile.
  const back = next(client.socket, "authenticated");
  cut(client.socket);
  await site.tell("payment", "status_changed", { id: "p-1", status: "ESCROW", bookingId: "booking_123" }, ["client-1", "provider-1"]);
  await site.tell("notification", "info", { title: "Paid", message: "The money waits." }, ["client-1"]);
  await back;
  await until("the payment", () => client.of("payment").length > 0 && client.of("notification").length > 0);
  await site.tell("payment", "released", { id: "p-1", amount: 120 }, ["provider-1"]);
  await site.tell("payout", "completed", { id: "po-1", amount: 108 }, ["provider-1"]);
  await site.tell("notification", "success", { title: "Thank you", message: "Please rate." }, ["client-1"]);
  await until("the end", () => provider.of("payout").length === 1 && client.of("notification").length === 2);
  assert.deepEqual(client.events.map((event) => `${event.type} ${event.action}`).sort(), [
    "booking accepted", "notification new_notification", "notification new_notification", "payment status_changed",
  ]);
  assert.deepEqual(provider.events.map((event) => `${event.type} ${event.action}`), [
    "booking created", "payment status_changed", "payment released", "payout completed",
  ]);
  const { type, title, message } = client.of("notification").at(-1).data;
  assert.deepEqual({ type, title, message }, { type: "success", title: "Thank you", message: "Please rate." });
  assert.deepEqual(toasts, ["New booking request!", "Your booking has been accepted!"]);
  assert.deepEqual(stranger.events, [], "nobody else has heard any of it");
});

test("a wrong token, a token of somebody else and none: both names of the error, and no room", async () => {
  const wrong = { userId: "client-1", role: "CLIENT" };
  for (const proof of ["test_token", token({ id: "client-1" }, "a-secret-that-is-not-the-sites-own"), tokenOf("client-9"), undefined]) {
    const eve = new Dashboard({ ...wrong, token: proof });
    const both = await Promise.all(["auth_error", "authentication_error"].map((name) => next(eve.socket, name)));
    for (const error of both) assert.equal(error.error, "Authentication failed");
    assert.equal(eve.state.error, "Authentication failed");
    const refused = await eve.socket.emitWithAck("join_room", "user_client-1");
    assert.deepEqual([refused.success, eve.socket.connected], [false, true]);
    await site.tell("booking", "accepted", { id: "secret" }, ["client-1"]);
    assert.equal((await eve.socket.emitWithAck("join_room", "role_ADMIN")).success, false);
    assert.deepEqual(eve.events, []);
    eve.socket.disconnect();
  }
});

test("a token in the cookie of the site is enough, as its second hook counts on", async () => {
  const socket = site.client({ extraHeaders: { cookie: `auth-token=${tokenOf("cookie-1")}` } }, "/api/socket");
  const known = next(socket, "authenticated");
  socket.on("connect", () => socket.emit("authenticate", { userId: "cookie-1", role: "CLIENT" }));
  assert.deepEqual(await known, { success: true, userId: "cookie-1", role: "CLIENT" });
  assert.deepEqual(await socket.emitWithAck("join_room", "user_cookie-1"), { success: true });
  const came = next(socket, "booking_update");
  await site.tell("booking", "accepted", { id: "b" }, ["cookie-1"]);
  assert.equal((await came).data.id, "b");
});

test("rooms of bookings are for whom a rule lets in", async () => {
  const admin = await site.user("root", "ADMIN", { path: "/api/socket" });
  const client = await site.user("client-3", "CLIENT", { path: "/api/socket" });
  assert.equal((await client.emitWithAck("join_room", "booking_77")).code, "denied");
  assert.deepEqual(await admin.emitWithAck("join_room", "booking_77"), { success: true });
  const came = next(admin, "booking_update");
  await site.publish("booking_77", "booking_update", { type: "booking", action: "declined", data: {}, timestamp: "now" });
  assert.equal((await came).action, "declined");
});

test("the parties of a booking of the ledger hear of it in its room, without a rule", async () => {
  const [holder, other] = [await site.user("party-1"), await site.user("party-2")];
  await site.server.ask("PUT", "/v1/resources/plumber", { provider: "p-9" });
  const start = Math.ceil(Date.now() / 86_400_000 + 2) * 86_400_000;
  const made = next(holder, "booking_update");
  const { reservation } = await site.server.ask("POST", "/v1/bookings", {
    claims: [{ resource: "plumber", start, end: start + 3_600_000 }], holder: "party-1",
  });
  const event = await made;
  assert.deepEqual([event.type, event.data.id], ["booking", reservation.id]);
  assert.deepEqual(await holder.emitWithAck("join_room", `booking_${reservation.id}`), { success: true });
  assert.equal((await other.emitWithAck("join_room", `booking_${reservation.id}`)).success, false);
  await site.server.ask("POST", `/v1/bookings/${reservation.id}/cancel`, {});
  await until("the end", () => holder.heard.some(([, data]) => data?.action === "cancelled"));
  const ends = holder.heard.filter(([name, data]) => name === "booking_update" && data.action === "cancelled");
  assert.equal(ends.length, 1, "told once, though its user's room and its own both show it");
});

test("what was told while nobody of a user was there waits, and is said once when it comes", async () => {
  await site.tell("booking", "accepted", { id: "b-away" }, ["away-1"]);
  await site.tell("payment", "released", { id: "p-away" }, ["away-1"]);
  await site.tell("notification", "info", { title: "While you were away", message: "m" }, ["away-1"]);
  const back = new Dashboard({ userId: "away-1", role: "CLIENT", token: tokenOf("away-1") });
  await until("what waited", () => back.events.length >= 3);
  assert.deepEqual(back.events.map((event) => event.type), ["booking", "payment", "notification"]);
  assert.equal(back.of("booking")[0].data.id, "b-away");
  back.socket.disconnect();
  await until("it has gone", async () => (await site.server.ask("GET", "/v1/inbox?user=away-1")).unread === 0);
  const again = new Dashboard({ userId: "away-1", role: "CLIENT", token: tokenOf("away-1") });
  await again.known();
  await site.tell("booking", "created", { id: "b-last" }, ["away-1"]);
  await until("what is new", () => again.events.length > 0);
  assert.deepEqual(again.events.map((event) => event.data.id), ["b-last"]);
});

test("what a user has switched off neither rings nor waits", async () => {
  await site.server.ask("PUT", "/v1/inbox/preferences?user=picky", { types: { promo: { in_app: false }, payout: { in_app: false } } });
  await site.tell("notification", "promo", { title: "Buy!", message: "m" }, ["picky"]);
  await site.tell("payout", "created", { id: "po" }, ["picky"]);
  await site.tell("booking", "accepted", { id: "b" }, ["picky"]);
  const picky = new Dashboard({ userId: "picky", role: "CLIENT", token: tokenOf("picky") });
  await until("what waited", () => picky.events.length > 0);
  await site.tell("notification", "promo", { title: "Buy!", message: "m" }, ["picky"]);
  await site.tell("notification", "info", { title: "Hello", message: "m" }, ["picky"]);
  await until("what rings", () => picky.of("notification").length > 0);
  assert.deepEqual(picky.events.map((event) => event.type), ["booking", "notification"]);
  assert.equal(picky.of("notification")[0].data.title, "Hello");
});

test("the statistics of errors have the application's own names", async () => {
  const before = (await site.server.ask("GET", "/v1/stats")).errors;
  const eve = new Dashboard({ userId: "x", role: "CLIENT", token: "no token" });
  await next(eve.socket, "auth_error");
  const after = (await site.server.ask("GET", "/v1/stats")).errors;
  assert.deepEqual(Object.keys(after).sort(), ["mostCommonError", "recentErrors", "retryableErrors", "totalErrors"]);
  assert.ok(after.totalErrors > before.totalErrors && after.recentErrors > 0, JSON.stringify([before, after]));
});

test("a client that floods is stopped, and nobody else", async () => {
  const [eve, ann] = [await site.user("flood"), await site.user("calm")];
  const gone = next(eve, "disconnect");
  const answered = [];
  for (let n = 0; n < 400 && eve.connected; n++) eve.emit("join_room", "user_flood", (answer) => answered.push(answer));
  await Promise.race([gone, until("a refusal", () => answered.some((answer) => answer.code === "rate_limited"))]);
  const came = next(ann, "booking_update");
  await site.tell("booking", "accepted", { id: "b" }, ["calm"]);
  await came;
  eve.disconnect();
});

test("the older form of the route, a role, and a caller without the secret", async () => {
  const provider = await site.user("provider-5", "PROVIDER", { path: "/api/socket" });
  const came = next(provider, "booking_update");
  const answer = await site.server.ask("POST", "/api/socket", { action: "booking_rejected", data: { id: "b-5", targetUsers: ["provider-5"] } });
  assert.deepEqual([answer.success, answer.message], [true, "Broadcasted booking_rejected event"]);
  assert.ok(answer.connectedUsers >= 1);
  assert.deepEqual([(await came).action, provider.heard.at(-1)[1].data], ["rejected", { id: "b-5" }]);
  const told = next(provider, "payout_update");
  await site.server.ask("POST", "/api/socket", { event: { type: "payout", action: "created" }, data: {}, targetRole: "PROVIDER" });
  await told;
  const refused = await fetch(`${site.server.http}/api/socket`, { method: "POST", body: "{}" });
  assert.deepEqual([refused.status, (await refused.json()).success], [401, false]);
  const broken = await fetch(`${site.server.http}/api/socket`, { method: "POST", body: "{", headers: { authorization: `Bearer ${SECRET}` } });
  assert.deepEqual([broken.status, (await broken.json()).error], [400, "Broadcast failed"]);
});
