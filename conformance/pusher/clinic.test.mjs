// The clinic's screens: laravel-echo as it is, under the names that they use, with one prefix and with two. There is no
// endpoint of the clinic's own: the server's rules say who may listen.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before } from "node:test";

import Echo from "laravel-echo";
import PusherJs from "pusher-js";

import { SECRET, test } from "../server.mjs";
import { Site, until } from "./people.mjs";

const DAY = 86_400_000;

let site;
before(async () => {
  site = await Site.start(`
[[access]]
pattern = "user:{user}"
allow = ["subscribe"]
to = "user"

[[access]]
pattern = "presence-clinic.main"
allow = ["subscribe", "presence"]
to = "role:staff"
`);
});
after(() => site.close());

function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) + 3_600, ...claims })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** A screen of somebody, which keeps what it hears. */
function screen(claims) {
  const echo = new Echo({
    broadcaster: "pusher", Pusher: PusherJs, key: "key", cluster: "mt1", wsHost: site.host, wsPort: site.port, forceTLS: false,
    enabledTransports: ["ws"], authEndpoint: `${site.server.http}/api/v1/broadcasting/auth`,
    auth: { headers: { Authorization: `Bearer ${token(claims)}` } },
  });
  site.clients.push(echo);
  return echo;
}

/** What the clinic's backend, or one of its people, does. */
async function act(method, path, body, bearer = SECRET) {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
  const answer = await fetch(`${site.server.http}${path}`, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const stands = (channel) => until(channel.name, () => channel.subscription.subscribed);
const spellings = ["", "private-"];

test("a patient's screen hears of its appointments, notifications and messages once, under either spelling", async () => {
  const echo = screen({ sub: "7" });
  const heard = [];
  const listen = async (name, ...events) => {
    const channel = echo.private(name);
    for (const event of events) channel.listen(`.${event}`, (data) => heard.push([name, event, data]));
    await stands(channel);
  };
  await act("PUT", "/v1/resources/dr-3", { provider: "3", capacity: 9 });
  await act("POST", "/v1/conversations", { id: "81", members: ["7", "9"] });
  for (const prefix of spellings) {
    await listen(`${prefix}appointments.7`, "appointment-updated", "appointment-confirmed", "appointment-cancelled");
    await listen(`${prefix}notifications.7`, "general-notification", "prescription-ready");
    await listen(`${prefix}user.7`, "message-sent", "message-read");
    await listen(`${prefix}conversation.81`, "message-sent", "message-read", "message-typing");
  }
  const start = Math.ceil(Date.now() / DAY) * DAY + 2 * DAY;
  await act("POST", "/v1/bookings", { claims: [{ resource: "dr-3", start, end: start + 3_600_000 }], holder: "7" });
  await act("POST", "/v1/notifications", { user: "7", type: "note", title: "Soon", body: "At ten" });
  await act("POST", "/v1/conversations/81/typing", { typing: true }, token({ sub: "9" }));
  await act("POST", "/v1/conversations/81/messages", { data: { text: "Good morning" } }, token({ sub: "9" }));
  await act("POST", "/v1/conversations/81/read", {}, token({ sub: "7" }));
  // What the clinic publishes by itself has whatever name it likes.
  await site.backend.trigger("private-private-notifications.7", "prescription-ready", { id: 4 });
  const wanted = spellings.flatMap((prefix) => [
    ["appointments.7", "appointment-confirmed"], ["appointments.7", "appointment-updated"],
    ["conversation.81", "message-read"], ["conversation.81", "message-sent"], ["conversation.81", "message-typing"],
    ["notifications.7", "general-notification"], ["notifications.7", "prescription-ready"],
    ["user.7", "message-read"], ["user.7", "message-sent"],
  ].map(([name, event]) => `${prefix}${name} ${event}`)).sort();
  await until("all of it", () => heard.length >= wanted.length);
  // Everything that was said before a pong has come before it.
  const { pusher } = echo.connector;
  const pong = new Promise((come) => pusher.connection.bind("message", ({ event }) => event === "pusher:pong" && come()));
  pusher.send_event("pusher:ping", {});
  await pong;
  assert.deepEqual(heard.map(([name, event]) => `${name} ${event}`).sort(), wanted);
  const title = heard.find(([, event]) => event === "general-notification")[2].title;
  assert.equal(title, "Soon");
});

test("the staff see each other in the clinic, under either spelling, and nobody else gets in", async () => {
  const [one, two, patient] = [
    screen({ sub: "1", name: "Dr. One", roles: ["staff"] }), screen({ sub: "2", name: "Dr. Two", roles: ["staff"] }), screen({ sub: "7" }),
  ];
  for (const name of ["clinic.main", "presence-clinic.main"]) {
    const seen = [];
    const room = one.join(name).here((all) => seen.push(["here", all.map((who) => who.name)]))
      .joining((who) => seen.push(["joining", who.name])).leaving((who) => seen.push(["leaving", who.name]));
    await stands(room);
    await stands(two.join(name));
    two.leave(name);
    await until("both", () => seen.length === 3);
    assert.deepEqual(seen, [["here", ["Dr. One"]], ["joining", "Dr. Two"], ["leaving", "Dr. Two"]]);
    const refused = await new Promise((found) => patient.join(name).error(found));
    assert.equal(refused.status, 403);
  }
  for (const name of ["notifications.8", "private-notifications.8", "appointments.doctor.3"]) {
    const refused = await new Promise((found) => patient.private(name).error(found));
    assert.equal(refused.status, 403, name);
  }
});
