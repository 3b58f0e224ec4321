// pusher-js and npm's pusher, unmodified: what they do on a page and in a backend.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Site, connected, next, record, subscribed, until } from "./people.mjs";

let site;
before(async () => (site = await Site.start("[pusher]\nsubscription_count = true\n")));
after(() => site.close());

test("a public channel: trigger, several channels, exclusion by socket", async () => {
  const [ann, bob] = [await connected(site.client()), await connected(site.client())];
  assert.match(ann.connection.socket_id, /^\d+\.\d+$/);
  const [a, b] = [await subscribed(ann, "news"), await subscribed(bob, "news")];
  const heard = record(a, "first", "second");
  const both = Promise.all([next(a, "second"), next(b, "second")]);
  await site.backend.trigger("news", "first", { n: 1 }, { socket_id: ann.connection.socket_id });
  const answer = await site.backend.trigger(["news", "other"], "second", { text: "ä/\"\\" });
  assert.equal(await answer.text(), "{}");
  assert.deepEqual(await both, [{ text: "ä/\"\\" }, { text: "ä/\"\\" }]);
  assert.deepEqual(heard.map(([name]) => name), ["second"], "the excluded socket got nothing of the first");
});

test("texts, numbers and JSON arrive as they were", async () => {
  const channel = await subscribed(await connected(site.client()), "forms");
  for (const data of ["no JSON: {", "\"quoted\"", "", 7, null, [1, { a: "b" }], "7"]) {
    const heard = next(channel, "form");
    await site.backend.trigger("forms", "form", data);
    // pusher-js reads a text as JSON where it can: so does it with Pusher's own service.
    let expected = data;
    if (typeof data === "string") try { expected = JSON.parse(data); } catch { /* it stays a text */ }
    assert.deepEqual(await heard, expected);
  }
});

test("a private channel needs a signature that fits", async () => {
  const ann = await connected(site.client());
  const channel = await subscribed(ann, "private-room");
  const heard = next(channel, "said");
  await site.backend.trigger("private-room", "said", { ok: true });
  assert.deepEqual(await heard, { ok: true });
  const eve = await connected(site.client({ sign: ({ auth }) => ({ auth: auth.slice(0, -1) + "z" }) }));
  const denied = eve.subscribe("private-room");
  const error = await next(denied, "pusher:subscription_error");
  assert.deepEqual([error.type, error.status], ["AuthError", 401]);
  await until("the error of the connection", () => eve.errors.length > 0);
  assert.equal(eve.errors[0].data.code, 4009);
  assert.equal(eve.connection.state, "connected", "a refused channel does not end the connection");
});

test("custom data on a private channel is part of its signature", async () => {
  const ann = await connected(site.client());
  const data = '{"user_id": "7", "of": "python\\/php"}';
  const { auth } = site.backend.authorizeChannel(ann.connection.socket_id, "private-own", JSON.parse(data));
  const eve = site.client({ sign: () => ({ auth, channel_data: data }) });
  await connected(eve);
  assert.equal((await next(eve.subscribe("private-own"), "pusher:subscription_error")).status, 401);
  const bob = await connected(site.client({
    sign: () => site.backend.authorizeChannel(bob.connection.socket_id, "private-own", { user_id: 7, x: "a/b" }),
  }));
  await subscribed(bob, "private-own");
});

test("presence counts people and not tabs", async () => {
  const ann = await connected(site.client({ user: "ann", info: { name: "Ann" } }));
  const here = await subscribed(ann, "presence-clinic");
  assert.deepEqual([here.members.count, here.members.me], [1, { id: "ann", info: { name: "Ann" } }]);
  const heard = record(here, "pusher:member_added", "pusher:member_removed");
  const counts = record(here, "pusher:subscription_count");
  const [one, two] = [site.client({ user: 10, info: { name: "Bob" } }), site.client({ user: "10", info: { name: "Bobby" } })];
  const ownComing = record((await connected(one)).subscribe("presence-clinic"), "pusher:member_added");
  const theirs = await subscribed(one, "presence-clinic");
  assert.deepEqual(theirs.members.members, { 10: { name: "Bob" }, ann: { name: "Ann" } });
  assert.deepEqual(theirs.members.me, { id: 10, info: { name: "Bob" } });
  await subscribed(await connected(two), "presence-clinic");
  const said = next(theirs, "client-nod");
  here.trigger("client-nod", { to: "all" });
  assert.deepEqual(await said, [{ to: "all" }, { user_id: "ann" }]);
  assert.deepEqual(ownComing, [], "nobody hears of its own coming, in no tab");
  one.disconnect();
  const cat = await connected(site.client({ user: "cat" }));
  const cats = await subscribed(cat, "presence-clinic");
  assert.deepEqual(cats.members.members, { 10: { name: "Bob" }, ann: { name: "Ann" }, cat: null });
  two.unsubscribe("presence-clinic");
  await until("the last tab's end", () => heard.length === 3);
  assert.deepEqual(heard, [
    ["pusher:member_added", { id: "10", info: { name: "Bob" } }],
    ["pusher:member_added", { id: "cat", info: null }],
    ["pusher:member_removed", { id: "10", info: { name: "Bob" } }],
  ]);
  const users = await (await site.backend.get({ path: "/channels/presence-clinic/users" })).json();
  assert.deepEqual(users, { users: [{ id: "ann" }, { id: "cat" }] });
  assert.deepEqual(counts, [], "who is there is told already");
});

test("clients speak to each other, not to themselves, and not too often", async () => {
  const [ann, bob] = [await connected(site.client()), await connected(site.client())];
  const [a, b] = [await subscribed(ann, "private-talk"), await subscribed(bob, "private-talk")];
  const own = record(a, "client-typing");
  const heard = next(b, "client-typing");
  a.trigger("client-typing", { who: "ann" });
  assert.deepEqual(await heard, { who: "ann" });
  const text = next(b, "client-text");
  ann.send_event("client-text", "{\"a\":1", "private-talk");
  assert.equal(await text, "{\"a\":1");
  for (let n = 0; n < 12; n++) a.trigger("client-flood", { n });
  await until("the bound", () => ann.errors.some((error) => error.data.code === 4301));
  assert.equal(ann.connection.state, "connected");
  assert.deepEqual(own, []);
  await subscribed(bob, "news");
  bob.send_event("client-x", {}, "news");
  await until("no speaking in public", () => bob.errors.some((error) => error.data.code === 4009));
});

test("a cache channel gives its last event, or says that there is none", async () => {
  const ann = await connected(site.client());
  const channel = ann.subscribe("cache-price");
  await next(channel, "pusher:cache_miss");
  await site.backend.trigger("cache-price", "first", { n: 1 });
  await site.backend.trigger("cache-price", "price", { n: 2 });
  const bob = await connected(site.client());
  const theirs = bob.subscribe("cache-price");
  const order = record(theirs, "pusher:subscription_succeeded", "price", "first", "later");
  const later = next(theirs, "price");
  assert.deepEqual(await later, { n: 2 });
  const last = next(theirs, "later");
  await site.backend.trigger("cache-price", "later", {});
  await last;
  assert.deepEqual(order.map(([name]) => name), ["pusher:subscription_succeeded", "price", "later"]);
  const info = await (await site.backend.get({ path: "/channels/cache-price", params: { info: "cache" } })).json();
  assert.equal(info.cache.data, "{}");
  assert.ok(info.cache.ttl > 1_700 && info.cache.ttl <= 1_800);
});

test("what a client says is not what a cache channel keeps", async () => {
  const [ann, bob] = [await connected(site.client()), await connected(site.client())];
  const [a, b] = [await subscribed(ann, "private-cache-talk"), await subscribed(bob, "private-cache-talk")];
  const heard = next(b, "client-hi");
  a.trigger("client-hi", {});
  await heard;
  const cat = await connected(site.client());
  await next(cat.subscribe("private-cache-talk"), "pusher:cache_miss");
});

test("an encrypted channel is passed on unread", async () => {
  const ann = await connected(site.client());
  const channel = await subscribed(ann, "private-encrypted-chat");
  const heard = next(channel, "secret");
  await site.backend.trigger("private-encrypted-chat", "secret", { text: "nobody else" });
  assert.deepEqual(await heard, { text: "nobody else" });
  const body = { name: "x", data: "{}", channels: ["private-encrypted-chat", "news"] };
  await assert.rejects(site.backend.post({ path: "/events", body }), (error) => error.status === 400);
});

test("a user signs in, is reached by name, and its connections are ended", async () => {
  const ann = await connected(site.client({ user: "u1", info: { name: "U" } }));
  ann.signin();
  await ann.user.signinDonePromise;
  assert.equal(ann.user.user_data.id, "u1");
  const heard = next(ann.user, "note");
  await until("the user's own channel", async () => ann.user.serverToUserChannel?.subscribed);
  await site.backend.sendToUser("u1", "note", { n: 1 });
  assert.deepEqual(await heard, { n: 1 });
  const eve = await connected(site.client());
  eve.send_event("pusher:subscribe", { channel: "#server-to-user-u1", auth: "" });
  await until("a refusal", () => eve.errors.some((error) => error.data.code === 4009));
  const closed = next(ann.connection, "error", (error) => error.data?.code === 4009);
  assert.equal((await site.backend.terminateUserConnections("u1")).status, 200);
  await closed;
  await until("the end", () => ann.connection.state === "disconnected");
});

test("a user who has not signed in is ended where it is present", async () => {
  const [ann, bob] = [await connected(site.client({ user: "seen" })), await connected(site.client({ user: "other" }))];
  for (const client of [ann, bob]) await subscribed(client, "presence-ended");
  await site.backend.terminateUserConnections("seen");
  await until("the end", () => ann.connection.state === "disconnected");
  const codes = ann.errors.map((error) => (error.error ?? error).data?.code);
  assert.ok(codes.includes(4009), JSON.stringify(ann.errors));
  assert.equal(bob.connection.state, "connected");
});

test("those who watch a user hear of its first and last connection", async () => {
  const ann = await connected(site.client({ user: "watcher", watchlist: ["bob", "cat"] }));
  const heard = record(ann.user.watchlist, "online", "offline");
  const first = await connected(site.client({ user: "bob" }));
  first.signin();
  await first.user.signinDonePromise;
  ann.signin();
  await until("who is there", () => heard.length === 2);
  assert.deepEqual(heard.map(([name, event]) => [name, event.user_ids]), [["online", ["bob"]], ["offline", ["cat"]]]);
  const second = await connected(site.client({ user: "bob" }));
  second.signin();
  await second.user.signinDonePromise;
  const cat = await connected(site.client({ user: "cat" }));
  cat.signin();
  await until("cat", () => heard.length === 3);
  first.disconnect();
  second.disconnect();
  await until("bob's end", () => heard.length === 4);
  assert.deepEqual(heard.slice(2).map(([name, event]) => [name, event.user_ids]), [["online", ["cat"]], ["offline", ["bob"]]]);
});

test("the number of subscriptions is told", async () => {
  const ann = await connected(site.client());
  const channel = ann.subscribe("counted");
  await next(channel, "pusher:subscription_count", (data) => data.subscription_count === 1);
  const two = next(channel, "pusher:subscription_count");
  const bob = await connected(site.client());
  await subscribed(bob, "counted");
  assert.deepEqual(await two, { subscription_count: 2 });
  const one = next(channel, "pusher:subscription_count");
  bob.disconnect();
  await one;
  assert.equal(channel.subscriptionCount, 1);
});

test("the backend asks about channels", async () => {
  const ann = await connected(site.client({ user: "a" }));
  await subscribed(ann, "presence-asked");
  const get = async (path, params) => (await site.backend.get({ path, params })).json();
  assert.deepEqual((await get("/channels")).channels["presence-asked"], {});
  assert.deepEqual(await get("/channels", { filter_by_prefix: "presence-asked", info: "user_count" }), {
    channels: { "presence-asked": { user_count: 1 } },
  });
  assert.deepEqual(await get("/channels", { filter_by_prefix: "nothing-" }), { channels: {} });
  assert.deepEqual(await get("/channels/empty"), { occupied: false });
  assert.deepEqual(await get("/channels/presence-asked", { info: "user_count,subscription_count" }), {
    occupied: true, user_count: 1, subscription_count: 1,
  });
  const told = await site.backend.trigger(["presence-asked", "empty"], "e", {}, { info: "user_count,subscription_count" });
  assert.deepEqual(await told.json(), {
    channels: { "presence-asked": { subscription_count: 1, user_count: 1 }, empty: { subscription_count: 0 } },
  });
  for (const [path, params] of [
    ["/channels", { info: "user_count" }], ["/channels/news", { info: "user_count" }],
    ["/channels/news", { info: "nonsense" }], ["/channels/news/users", {}],
  ]) {
    await assert.rejects(site.backend.get({ path, params }), (error) => error.status === 400, path);
  }
});

test("a batch is ten events at most, each for one channel", async () => {
  const channel = await subscribed(await connected(site.client()), "batch-1");
  const heard = record(channel, "e");
  const event = (n) => ({ channel: "batch-1", name: "e", data: { n } });
  const ten = await site.backend.triggerBatch([...Array(10).keys()].map(event));
  assert.equal(await ten.text(), "{}");
  await until("all of them", () => heard.length === 10);
  assert.deepEqual(heard.map(([, data]) => data.n), [...Array(10).keys()]);
  const told = await site.backend.triggerBatch([
    { ...event(10), info: "subscription_count" }, event(11), { channel: "presence-b", name: "e", data: {}, info: "user_count,subscription_count" },
  ]);
  assert.deepEqual(await told.json(), { batch: [{ subscription_count: 1 }, {}, { user_count: 0, subscription_count: 0 }] });
  await assert.rejects(site.backend.triggerBatch([...Array(11).keys()].map(event)), (error) => error.status === 400);
});

test("what is too large is refused with its own status", async () => {
  await site.backend.trigger("big", "e", "x".repeat(10_240));
  await assert.rejects(site.backend.trigger("big", "e", "x".repeat(10_241)), (error) => error.status === 413);
});
