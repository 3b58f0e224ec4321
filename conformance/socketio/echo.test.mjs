// laravel-echo 2 with its socket.io connector, unmodified, over socket.io-client 4.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import Echo from "laravel-echo";
import { io } from "socket.io-client";

import { test } from "../server.mjs";
import { Site, cut, tokenOf, until } from "./people.mjs";

let site;
before(async () => (site = await Site.start()));
after(() => site.close());

/** What a page's `echo.js` sets up; `auth` also reaches the client's CONNECT. */
async function echo(user) {
  const bearer = user && { Authorization: `Bearer ${tokenOf(user)}` };
  const client = new Echo({
    broadcaster: "socket.io", client: io, host: site.server.http, forceNew: true, reconnectionDelay: 20,
    auth: { headers: bearer ?? {}, ...(user && { token: tokenOf(user) }) },
  });
  const { socket } = client.connector;
  site.clients.push(socket);
  await until("the connection", () => socket.connected);
  return client;
}

test("a public channel, a private one of the own, and one of somebody else", async () => {
  const ann = await echo("ann");
  const heard = [];
  ann.channel("lobby").listen(".said", (data) => heard.push(["lobby", data]));
  ann.private("orders.ann").listen("OrderShipped", (data) => heard.push(["orders", data]));
  // The connector has no handler of its own for this; pages listen on its socket.
  const refused = new Promise((found) => ann.connector.socket.on("subscription_error", (...args) => found(args)));
  ann.private("orders.bob");
  assert.deepEqual((await refused).slice(0, 2), ["private-orders.bob", 403]);
  await until("the subscriptions", async () => {
    await site.publish("lobby", "said", { n: 1 });
    return heard.length > 0;
  });
  heard.length = 0;
  await site.publish("private-orders.ann", "App\\Events\\OrderShipped", { id: 7 });
  await site.publish("private-orders.bob", "App\\Events\\OrderShipped", { id: 8 });
  await site.publish("lobby", "said", { n: 2 });
  // Those of the subscription may still be on their way.
  const told = () => heard.filter(([, data]) => data.n !== 1);
  await until("both", () => told().length === 2);
  assert.deepEqual(told(), [["orders", { id: 7 }], ["lobby", { n: 2 }]]);
  ann.leave("lobby");
});

test("presence: who is here, who comes, who goes, and what they whisper", async () => {
  const [ann, bob] = [await echo("ann"), await echo("bob")];
  const told = [];
  const room = ann.join("clinic").here((members) => told.push(["here", members.length]))
    .joining((member) => told.push(["joining", member])).leaving((member) => told.push(["leaving", member]))
    .listenForWhisper("typing", (data) => told.push(["typing", data]));
  await until("ann is here", () => told.length === 1);
  const bobs = bob.join("clinic");
  await until("bob comes", () => told.some(([what]) => what === "joining"));
  bobs.whisper("typing", { who: "bob" });
  await until("bob writes", () => told.some(([what]) => what === "typing"));
  bob.leave("clinic");
  await until("bob goes", () => told.some(([what]) => what === "leaving"), 30_000);
  assert.deepEqual(told.map(([what]) => what), ["here", "joining", "typing", "leaving"]);
  assert.deepEqual(told[2], ["typing", { who: "bob" }]);
  room.leave?.("clinic");
});

test("who subscribes twice hears once, and a cut loses nothing though the connector does not subscribe again", async () => {
  const ann = await echo("cut");
  const heard = [];
  const { socket } = ann.connector;
  ann.private("orders.cut").listen(".n", (n) => heard.push(n));
  socket.emit("subscribe", { channel: "private-orders.cut", auth: { headers: {} } });
  await until("the subscription", async () => {
    await site.publish("private-orders.cut", "n", -1);
    return heard.length > 0;
  });
  const back = new Promise((found) => socket.once("connect", found));
  cut(socket);
  await site.publish("private-orders.cut", "n", 1);
  await back;
  await site.publish("private-orders.cut", "n", 2);
  await until("the last", () => heard.includes(2));
  assert.deepEqual(heard.filter((n) => n > 0), [1, 2]);
});
