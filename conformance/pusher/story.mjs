// The whole of the protocol as one story of two people and a backend, whoever speaks for them.
import assert from "node:assert/strict";

import { until } from "./people.mjs";

/** What Laravel's `redis` driver leaves in an event's data is not looked at. */
const bare = (data) => {
  if (data === null || typeof data !== "object" || Array.isArray(data)) return data;
  const { socket, ...rest } = data;
  return rest;
};
const tell = (heard, ...names) => heard.filter(([, event]) => names.includes(event)).map(([, event, data]) => [event, bare(data)]);

/**
 * `enter(who)` gives a person at a page (`person.mjs`, here or in a browser), `backend` speaks for the application,
 * `told()` gives what webhooks have said so far. Not every way of an application leads to encrypted channels.
 */
export async function story({ enter, backend, told, encrypted = true }) {
  const cast = [];
  const person = async (who) => {
    cast.push(await enter(who));
    return cast.at(-1);
  };
  const heardBy = async (one, name, ...events) => tell((await one.told()).filter(([channel]) => channel === name), ...events);
  try {
    await openAndPrivate(person, backend, heardBy, encrypted);
    await room(person, backend, heardBy);
    await cached(person, backend, heardBy);
    await users(person, backend, heardBy);
    await hooks(told, cast);
  } finally {
    for (const one of cast) await one.leave();
  }
}

async function openAndPrivate(person, backend, heardBy, encrypted) {
  const [ann, bob] = [await person({ user: "ann" }), await person({ user: "bob" })];
  for (const one of [ann, bob]) assert.deepEqual(await one.subscribe("news"), {});
  const socket = await ann.socket();
  assert.match(socket, /^\d+\.\d+$/);
  await backend.trigger(["news"], "said", { n: 1 }, { socket_id: socket });
  await backend.trigger(["news", "other"], "said", { text: "Grüße/\"\\" });
  for (const [one, expected] of [[ann, [{ text: "Grüße/\"\\" }]], [bob, [{ n: 1 }, { text: "Grüße/\"\\" }]]]) {
    await until("the news", async () => (await heardBy(one, "news", "said")).length === expected.length);
    assert.deepEqual((await heardBy(one, "news", "said")).map(([, data]) => data), expected);
  }
  for (const one of [ann, bob]) assert.deepEqual(await one.subscribe("private-told"), {});
  await backend.trigger(["private-told"], "App\\Events\\Moved", { id: 7 });
  await until("the private event", async () => (await heardBy(ann, "private-told", "App\\Events\\Moved")).length === 1);
  await ann.say("private-told", "client-typing", { who: "ann" });
  await until("the whisper", async () => (await heardBy(bob, "private-told", "client-typing")).length === 1);
  assert.deepEqual(await heardBy(bob, "private-told", "client-typing"), [["client-typing", { who: "ann" }]]);
  assert.deepEqual(await heardBy(ann, "private-told", "client-typing"), []);
  // The application's own endpoint refuses this one, and the client says so.
  assert.equal((await bob.subscribe("private-forbidden")).refused, 403);
  if (encrypted) {
    assert.deepEqual(await ann.subscribe("private-encrypted-chat"), {});
    await backend.trigger(["private-encrypted-chat"], "secret", { text: "nobody else" });
    await until("the secret", async () => (await heardBy(ann, "private-encrypted-chat", "secret")).length === 1);
    assert.deepEqual(await heardBy(ann, "private-encrypted-chat", "secret"), [["secret", { text: "nobody else" }]]);
  }
  const batch = [0, 1, 2].map((n) => ({ channel: "news", name: "batched", data: { n } }));
  assert.deepEqual(await backend.batch(batch), {});
  await until("the batch", async () => (await heardBy(bob, "news", "batched")).length === 3);
  assert.deepEqual((await heardBy(bob, "news", "batched")).map(([, { n }]) => n), [0, 1, 2]);
}

async function room(person, backend, heardBy) {
  const ann = await person({ user: "ann", info: "Ann" });
  const alone = await ann.subscribe("presence-told");
  assert.deepEqual(alone, { count: 1, me: { id: "ann", info: { name: "Ann" } }, members: { ann: { name: "Ann" } } });
  const tabs = [await person({ user: "bob", info: "Bob" }), await person({ user: "bob", info: "Bob" })];
  for (const tab of tabs) {
    assert.deepEqual(await tab.subscribe("presence-told"), {
      count: 2, me: { id: "bob", info: { name: "Bob" } }, members: { ann: { name: "Ann" }, bob: { name: "Bob" } },
    });
  }
  await tabs[0].say("presence-told", "client-nod", { to: "all" });
  await until("the nod", async () => (await heardBy(ann, "presence-told", "client-nod")).length === 1);
  assert.deepEqual(await backend.users("presence-told"), { users: [{ id: "ann" }, { id: "bob" }] });
  const asked = { info: "user_count", filter_by_prefix: "presence-" };
  assert.deepEqual((await backend.channels(asked)).channels["presence-told"], { user_count: 2 });
  const about = await backend.channel("presence-told", { info: "user_count,subscription_count" });
  assert.deepEqual(about, { occupied: true, user_count: 2, subscription_count: 3 });
  assert.deepEqual(await backend.channel("nobody", {}), { occupied: false });
  const counted = await backend.trigger(["presence-told", "nobody"], "e", {}, { info: "user_count,subscription_count" });
  // PyPI's library cannot ask with a trigger.
  if (counted) assert.deepEqual(counted, { channels: { "presence-told": { subscription_count: 3, user_count: 2 }, nobody: { subscription_count: 0 } } });
  await tabs[0].leave();
  await tabs[1].unsubscribe("presence-told");
  // Whoever comes by requests has gone when it asks for nothing more.
  const gone = async () => (await heardBy(ann, "presence-told", "pusher:member_removed")).length === 1;
  await until("bob's last tab", gone, 20_000);
  assert.deepEqual(await heardBy(ann, "presence-told", "pusher:member_added", "client-nod", "pusher:member_removed"), [
    ["pusher:member_added", { id: "bob", info: { name: "Bob" } }], ["client-nod", { to: "all" }],
    ["pusher:member_removed", { id: "bob", info: { name: "Bob" } }],
  ]);
  // The same in Echo's own words, where it is Echo.
  const own = await heardBy(ann, "presence-told", "here", "joining", "leaving");
  const expected = [["here", [{ name: "Ann" }]], ["joining", { name: "Bob" }], ["leaving", { name: "Bob" }]];
  assert.deepEqual(own, own.length === 0 ? [] : expected);
}

async function cached(person, backend, heardBy) {
  const [ann, bob] = [await person({ user: "ann" }), await person({ user: "bob" })];
  await ann.subscribe("cache-told");
  await until("the miss", async () => (await heardBy(ann, "cache-told", "pusher:cache_miss")).length === 1);
  await backend.trigger(["cache-told"], "price", { n: 2 });
  await bob.subscribe("cache-told");
  await until("the hit", async () => (await heardBy(bob, "cache-told", "price")).length === 1);
  assert.deepEqual(await heardBy(bob, "cache-told", "price", "pusher:cache_miss"), [["price", { n: 2 }]]);
  const { cache } = await backend.channel("cache-told", { info: "cache" });
  assert.deepEqual(bare(JSON.parse(cache.data)), { n: 2 });
}

async function users(person, backend, heardBy) {
  const ann = await person({ user: "ann", watchlist: "bob,cat" });
  const bob = await person({ user: "bob" });
  assert.equal(await bob.signIn(), "bob");
  assert.equal(await ann.signIn(), "ann");
  const seen = () => heardBy(ann, "watchlist", "online", "offline");
  await until("the list", async () => (await seen()).length === 2);
  assert.deepEqual(await seen(), [["online", ["bob"]], ["offline", ["cat"]]]);
  await backend.sendToUser("ann", "note", { n: 1 });
  await until("the note", async () => (await heardBy(ann, "user", "note")).length === 1);
  assert.deepEqual(await heardBy(ann, "user", "note"), [["note", { n: 1 }]]);
  assert.deepEqual(await backend.terminate("bob"), {});
  await until("bob's end", async () => (await bob.state()) === "disconnected");
  assert.ok((await bob.failures()).includes(4009), JSON.stringify(await bob.failures()));
  await until("the watcher hears it", async () => (await seen()).length === 3);
  assert.deepEqual((await seen())[2], ["offline", ["bob"]]);
}

async function hooks(told, cast) {
  const of = async (channel, ...names) => (await told())
    .filter((event) => event.channel === channel && names.includes(event.name))
    .map(({ name, user_id, event }) => [name, user_id ?? event].filter(Boolean).join(" "));
  const all = ["channel_occupied", "member_added", "client_event", "member_removed", "channel_vacated", "cache_miss"];
  const wanted = {
    "private-told": ["channel_occupied", "client_event client-typing"],
    "presence-told": ["channel_occupied", "client_event bob", "member_added ann", "member_added bob", "member_removed bob"],
    "cache-told": ["cache_miss", "channel_occupied"],
  };
  for (const [channel, events] of Object.entries(wanted)) {
    await until(`webhooks of ${channel}`, async () => (await of(channel, ...all)).length >= events.length);
    assert.deepEqual((await of(channel, ...all)).sort(), events);
  }
  for (const one of cast) await one.leave();
  for (const channel of Object.keys(wanted)) {
    await until(`${channel} is vacated`, async () => (await of(channel, "channel_vacated")).length === 1, 20_000);
  }
}
