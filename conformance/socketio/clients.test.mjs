// socket.io-client in Node, unmodified, over each of its transports.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { Site, TRANSPORTS, connected, heard, next, settle, token, tokenOf, until } from "./people.mjs";

let site;
before(async () => (site = await Site.start()));
after(() => site.close());

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  test(`${name}: connects, is in its own rooms, hears what is told there and nothing else`, async () => {
    const ann = await site.user(`ann-${name}`, "CLIENT", { transports });
    await until("the transport", () => ann.io.engine.transport.name === (name === "polling" ? "polling" : "websocket"));
    assert.match(ann.id, /^\d+\.\d+$/);
    assert.notEqual(ann.id, ann.io.engine.id, "who knows a client's public name must not be able to act as it");
    await ann.emitWithAck("join_room", "lobby");
    const data = { id: "b-1", text: "\u00e4\u2028\ud83d\udd14\"\\", amount: 1.5, none: null, list: [1, [2]] };
    const came = next(ann, "booking_update");
    await site.publish("user_somebody", "booking_update", { foreign: true });
    await site.publish(`user_ann-${name}`, "booking_update", data);
    assert.deepEqual(await came, data);
    const role = next(ann, "role");
    await site.publish("role_client", "role", 7);
    await role;
    await settle(site, ann);
    assert.deepEqual(ann.heard.filter(([said]) => said === "booking_update").length, 1);
  });

  test(`${name}: rooms are joined, left, and refused with an ack and room_error, never auth_error`, async () => {
    const ann = await site.user(`rooms-${name}`, "CLIENT", { transports });
    assert.deepEqual(await ann.emitWithAck("join_room", "lobby"), { success: true });
    await settle(site, ann);
    assert.deepEqual(await ann.emitWithAck("leave_room", "lobby"), { success: true });
    await site.publish("lobby", "left", 1);
    for (const room of ["user_bob", "role_ADMIN", "booking_foreign", "private-orders.bob"]) {
      const error = next(ann, "room_error");
      const refused = await ann.emitWithAck("join_room", room);
      assert.deepEqual([refused.success, refused.code], [false, "denied"], room);
      const shown = await error;
      assert.deepEqual([shown.room, shown.code], [room, "denied"]);
    }
    await ann.emitWithAck("join_room", "lobby");
    await settle(site, ann);
    assert.deepEqual(ann.heard.filter(([said]) => /auth/.test(said) || said === "left"), []);
    assert.ok(ann.connected);
  });

  test(`${name}: a backend asks, and each page answers with its callback`, async () => {
    const [one, two] = [await site.user(`ask-${name}`, "CLIENT", { transports }), await site.user(`ask-${name}`, "CLIENT", { transports })];
    one.on("still_there", (question, answer) => answer({ yes: question.since }, 2));
    two.on("still_there", (question, answer) => answer(Buffer.from([7, 8])));
    const question = { channel: `user_ask-${name}`, name: "still_there", data: { since: 10 } };
    const { asked, answers } = await site.server.ask("POST", "/v1/ask?wait=20", question);
    const said = Object.fromEntries(answers.map(({ session, args, attachments }) => [session, [args, attachments]]));
    assert.deepEqual(said[one.id], [[{ yes: 10 }, 2], undefined]);
    assert.deepEqual(said[two.id], [[{ _placeholder: true, num: 0 }], ["Bwg="]]);
    assert.equal(asked, 2);
  });

  test(`${name}: its own id is a room of it alone`, async () => {
    const [ann, bob] = [await site.user(`own-${name}`, "CLIENT", { transports }), await site.user(`own-bob-${name}`, "CLIENT", { transports })];
    assert.equal((await bob.emitWithAck("join_room", ann.id)).code, "denied");
    const came = next(ann, "whisper");
    await site.publish(ann.id, "whisper", 1);
    assert.equal(await came, 1);
    await bob.emitWithAck("join_room", "lobby");
    await settle(site, bob);
    assert.deepEqual(heard(bob, "whisper"), []);
  });

  test(`${name}: three hundred events in one moment arrive in order`, async () => {
    const ann = await site.user(`many-${name}`, "CLIENT", { transports });
    const all = next(ann, "n", (n) => n === 299);
    const events = Array.from({ length: 300 }, (_, n) => ({ channel: `user_many-${name}`, name: "n", data: n }));
    await site.server.ask("POST", "/v1/publish", { events });
    await all;
    assert.deepEqual(heard(ann, "n"), events.map((event) => event.data));
  });
}

test("whoever is not known may come in, and is in no room", async () => {
  const nobody = await connected(site.client());
  const refused = await nobody.emitWithAck("join_room", "user_7");
  assert.equal(refused.success, false);
  assert.deepEqual(await nobody.emitWithAck("join_room", "lobby"), { success: true });
  await settle(site, nobody);
});

test("authenticate makes somebody known, and tells it under the names that both generations know", async () => {
  const ann = await connected(site.client());
  const known = next(ann, "authenticated");
  ann.emit("authenticate", { token: tokenOf("late", "PROVIDER"), userId: "late", role: "PROVIDER" });
  assert.deepEqual(await known, { success: true, userId: "late", role: "PROVIDER" });
  const came = next(ann, "booking_update");
  await site.publish("user_late", "booking_update", { n: 1 });
  await came;
  const eve = await connected(site.client());
  const both = Promise.all([next(eve, "auth_error"), next(eve, "authentication_error")]);
  eve.emit("authenticate", { token: tokenOf("late"), userId: "ann", role: "CLIENT" });
  for (const shown of await both) {
    assert.equal(shown.error, "Authentication failed");
    assert.equal(typeof shown.code, "string");
  }
  assert.ok(eve.connected, "a page that is not signed in stays connected");
  assert.equal((await eve.emitWithAck("join_room", "user_ann")).success, false);
});

test("a wrong token in CONNECT is a connect_error with a code, and no connection", async () => {
  for (const wrong of [token({ id: "x" }, "another-secret-than-the-sites-own"), token({ id: "x", exp: 1_000 })]) {
    const eve = site.client({ auth: { token: wrong } });
    const error = await next(eve, "connect_error");
    assert.match(error.data.code, /^(unauthorized|token_expired)$/);
    assert.ok(error.message.length > 0 && !eve.connected);
    eve.disconnect();
  }
});

test("a namespace that there is not is refused with the words that clients know", async () => {
  const error = await next(site.client({}, "/nowhere"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
});

test("the second client: the default path, and the namespace that is called like the route", async () => {
  const ann = site.client({ auth: { token: tokenOf("second") } }, "/api/socket");
  await connected(ann);
  const came = next(ann, "booking_update");
  await site.tell("booking", "accepted", { id: "b-2" }, ["second"]);
  assert.equal((await came).data.id, "b-2");
});

test("two namespaces share a connection, and leaving one leaves the other", async () => {
  const options = { auth: { token: tokenOf("both") }, forceNew: false, multiplex: true };
  const [one, two] = [site.client(options, "/"), site.client(options, "/api/socket")];
  await Promise.all([connected(one), connected(two)]);
  assert.equal(one.io, two.io);
  const gone = next(one, "disconnect");
  one.disconnect();
  await gone;
  const came = next(two, "x");
  await site.publish("user_both", "x", 1);
  await came;
  assert.ok(two.connected);
});

test("whom the backend ends does not come back by itself", async () => {
  const ann = await site.user("ended");
  const reason = next(ann, "disconnect");
  await site.server.ask("POST", "/v1/users/ended/disconnect", {});
  assert.equal(await reason, "io server disconnect");
  assert.equal(ann.active, false);
});

test("a list is one argument that is a list", async () => {
  const ann = await site.user("args");
  const came = next(ann, "list");
  await site.publish("user_args", "list", [1, { two: 2 }]);
  assert.deepEqual(await came, [1, { two: 2 }]);
});

test("REST and clients meet on the same path, with and without its slash", async () => {
  const ann = await site.user("path", "CLIENT", { path: "/api/socket", transports: ["websocket", "polling"] });
  const bob = await site.user("path2", "CLIENT", { path: "/api/socket", addTrailingSlash: false, transports: ["polling"] });
  const status = await site.server.ask("GET", "/api/socket");
  assert.equal(status.success, true);
  assert.ok(status.connectedUsers >= 2 && status.connections >= status.connectedUsers, JSON.stringify(status));
  assert.ok(ann.connected && bob.connected);
});
