// Webhooks of Pusher's kinds, read and verified by npm's `pusher`.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";

import { Site, connected, next, subscribed, until } from "./people.mjs";

let site, hooks;
const requests = [];
/** What the other endpoints were told. */
const others = [];
/** How the next requests are answered; then with 200. */
const answers = [];

before(async () => {
  hooks = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      if (request.url !== "/hook") {
        others.push({ url: request.url, key: request.headers["x-pusher-key"], events: JSON.parse(body).events });
        return void response.end();
      }
      requests.push({ headers: request.headers, rawBody: body, at: Date.now() });
      response.writeHead(answers.shift() ?? 200).end();
    });
  });
  hooks.listen(0, "127.0.0.1");
  await once(hooks, "listening");
  site = await Site.start(`
[pusher]
subscription_count = true

[[pusher_webhooks]]
url = "http://127.0.0.1:${hooks.address().port}/hook"
batch = 10
channels = ["told*", "presence-told*", "private-told*", "cache-told*"]

[[pusher_webhooks]]
url = "http://127.0.0.1:${hooks.address().port}/occupied"
events = ["channel_occupied"]

[[apps]]
id = 1002
key = "second"
secret = "another-secret-of-the-suites"

[[pusher_webhooks]]
app = 1002
url = "http://127.0.0.1:${hooks.address().port}/second"
batch = 10
`);
});
after(async () => {
  await site.close();
  hooks.close();
});

/** Everything that was told so far, verified. */
function told() {
  return requests.flatMap((request) => {
    const hook = site.backend.webhook(request);
    assert.ok(hook.isValid(), request.rawBody);
    assert.equal(request.headers["content-type"], "application/json");
    return hook.getEvents();
  });
}

const names = (channel) => told().filter((event) => event.channel === channel).map((event) => event.name);

test("a channel is occupied by its first and vacated by its last, a moment later", async () => {
  const [ann, bob] = [await connected(site.client()), await connected(site.client())];
  await subscribed(ann, "told");
  await subscribed(bob, "told");
  const gone = Date.now();
  ann.disconnect();
  bob.disconnect();
  await until("the end", () => names("told").includes("channel_vacated"));
  assert.ok(Date.now() - gone >= 2_900, "a page that is loaded anew is no leaving");
  const kinds = names("told").filter((name) => name.startsWith("channel"));
  assert.deepEqual(kinds, ["channel_occupied", "channel_vacated"]);
  assert.deepEqual(told().filter((event) => event.name === "subscription_count").map((event) => event.subscription_count).slice(0, 2), [1, 2]);
});

test("whoever comes back in time was never away", async () => {
  const first = await connected(site.client({ user: "7" }));
  await subscribed(first, "presence-told");
  first.disconnect();
  const again = await connected(site.client({ user: "7" }));
  await subscribed(again, "presence-told");
  const other = await connected(site.client({ user: "8" }));
  await subscribed(other, "presence-told");
  other.disconnect();
  await until("the other's end", () => names("presence-told").includes("member_removed"));
  const people = told().filter((event) => event.channel === "presence-told" && event.name.startsWith("member"));
  assert.deepEqual(people.map(({ name, user_id }) => [name, user_id]), [["member_added", "7"], ["member_added", "8"], ["member_removed", "8"]]);
});

test("what clients say is told, with who said it", async () => {
  const [ann, bob] = [await connected(site.client({ user: "ann" })), await connected(site.client({ user: "bob" }))];
  const [a, b] = [await subscribed(ann, "presence-told-talk"), await subscribed(bob, "presence-told-talk")];
  const heard = next(b, "client-hi");
  a.trigger("client-hi", { n: 1 });
  await heard;
  await until("it", () => names("presence-told-talk").includes("client_event"));
  const said = told().find((event) => event.name === "client_event");
  assert.deepEqual(said, {
    name: "client_event", channel: "presence-told-talk", event: "client-hi", data: '{"n":1}',
    socket_id: ann.connection.socket_id, user_id: "ann",
  });
});

test("what a cache channel could not give is told once", async () => {
  for (let n = 0; n < 3; n++) {
    const client = await connected(site.client());
    await next(client.subscribe("cache-told"), "pusher:cache_miss");
  }
  await until("it", () => names("cache-told").includes("cache_miss"));
  const client = await connected(site.client());
  await subscribed(client, "told-after");
  await until("what came after", () => names("told-after").length > 0);
  assert.deepEqual(names("cache-told").filter((name) => name === "cache_miss"), ["cache_miss"]);
});

test("what was not taken is sent again, signed anew", async () => {
  const seen = requests.length;
  answers.push(500, 302);
  const client = await connected(site.client());
  await subscribed(client, "told-again");
  await until("three attempts", () => requests.length >= seen + 3);
  const [first, second, third] = requests.slice(seen, seen + 3).map((request) => JSON.parse(request.rawBody));
  assert.deepEqual(first.events, second.events);
  assert.deepEqual(second.events, third.events);
  assert.ok(first.time_ms < second.time_ms && second.time_ms < third.time_ms);
  told();
});

test("channels that nobody asked about are not told", async () => {
  const client = await connected(site.client());
  await subscribed(client, "unheard");
  await subscribed(client, "told-last");
  await until("what came after", () => names("told-last").length > 0);
  assert.deepEqual(names("unheard"), []);
});

test("an endpoint is told of its app alone, of its kinds alone, and so many at once as it takes", async () => {
  const seen = requests.length;
  answers.push(500);
  const client = await connected(site.client());
  const channels = [...Array(15).keys()].map((n) => `told-many-${n}`);
  await Promise.all(channels.map((name) => subscribed(client, name)));
  await until("all of them", () => channels.every((name) => names(name).includes("channel_occupied")));
  const sizes = requests.slice(seen).map((request) => JSON.parse(request.rawBody).events.length);
  assert.ok(Math.max(...sizes) <= 10 && sizes.some((size) => size > 1), String(sizes));
  const stranger = await connected(site.client({ key: "second" }));
  await subscribed(stranger, "told-by-another");
  await until("the other app", () => others.some(({ url }) => url === "/second"));
  assert.deepEqual(names("told-by-another"), []);
  for (const { url, key, events } of others) {
    assert.equal(key, url === "/second" ? "second" : "key");
    const kinds = new Set(events.map((event) => event.name));
    if (url === "/occupied") assert.deepEqual(kinds, new Set(["channel_occupied"]));
    else assert.deepEqual(new Set(events.map((event) => event.channel)), new Set(["told-by-another"]));
  }
  assert.ok(others.some(({ url, events }) => url === "/occupied" && events[0].channel === "told"));
});
