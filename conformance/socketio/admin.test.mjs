// What the admin UI of Socket.IO says and waits for, in its production mode; its page itself is static.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { Site, connected, heard, next, until } from "./people.mjs";

const [username, password] = ["operator", "a password of the operator"];

let site;
before(async () => {
  site = await Site.start({ config: `[socketio_admin]\nusername = "${username}"\npassword = "${password}"\n` });
});
after(() => site.close());

/** As the page connects: without coming back by itself, and with listeners made once it is connected. */
function ui(auth, transports = ["websocket"]) {
  const socket = site.client({ auth, transports, reconnection: false, withCredentials: true }, "/admin");
  socket.order = [];
  socket.on("connect", () => {
    socket.order.push("connect");
    for (const name of ["session", "config", "server_stats", "all_sockets"]) socket.on(name, () => socket.order.push(name));
  });
  return socket;
}

test("a password opens it: first the connection, then the session, what it may show, and numbers again and again", async () => {
  const socket = ui({ username, password });
  await connected(socket);
  await until("two tellings", () => heard(socket, "server_stats").length >= 2);
  assert.deepEqual(socket.order.slice(0, 3), ["connect", "session", "config"]);
  assert.deepEqual(heard(socket, "config"), [{ supportedFeatures: ["AGGREGATED_EVENTS"] }]);
  const [stats] = heard(socket, "server_stats");
  assert.deepEqual(Object.keys(stats).sort(), [
    "aggregatedEvents", "clientsCount", "hostname", "namespaces", "pid", "pollingClientsCount", "serverId", "uptime",
  ]);
  assert.ok(stats.clientsCount >= 1 && stats.namespaces.some(({ name }) => name === "/"));
  for (const event of stats.aggregatedEvents) assert.deepEqual(Object.keys(event).sort(), ["count", "timestamp", "type"]);
});

test("those who poll are told apart for as long as they do", async () => {
  const socket = await connected(ui({ username, password }));
  const polling = () => heard(socket, "server_stats").at(-1)?.pollingClientsCount;
  await until("nobody polls", () => polling() === 0);
  const [stays, changes] = [site.client({ transports: ["polling"] }), site.client({ transports: ["polling", "websocket"] })];
  await Promise.all([connected(stays), connected(changes)]);
  await until("the change", () => changes.io.engine.transport.name === "websocket");
  await until("one polls", () => polling() === 1);
  stays.disconnect();
  await until("nobody polls any more", () => polling() === 0);
});

test("the session opens it the next time", async () => {
  const first = ui({ username, password });
  const session = await next(first, "session");
  first.disconnect();
  const second = ui({ sessionId: session }, ["polling"]);
  await connected(second);
  await next(second, "server_stats");
});

test("everything else hears exactly the words that the page knows", async () => {
  for (const auth of [
    { username, password: "wrong" }, { username: "x", password }, { sessionId: "1.ab" }, {}, { token: "a.b.c" },
  ]) {
    const error = await next(ui(auth), "connect_error");
    assert.equal(error.message, "invalid credentials");
  }
});

test("nobody else hears any of it, and what the page may not do is not done", async () => {
  const nobody = await connected(site.client());
  assert.equal((await nobody.emitWithAck("join_room", "#everybody;admin")).success, false);
  const socket = await connected(ui({ username, password }));
  socket.emit("_disconnect", "/", true, nobody.id);
  socket.emit("emit", "/", nobody.id, "said", 1);
  await next(socket, "server_stats");
  await next(socket, "server_stats");
  assert.ok(nobody.connected);
  assert.deepEqual(nobody.heard.map(([name]) => name), ["room_error"]);
});

test("who tries passwords is slowed down", async () => {
  const answers = [];
  for (let n = 0; n < 30; n++) {
    const socket = ui({ username, password: `wrong ${n}` });
    answers.push(await next(socket, "connect_error"));
    socket.disconnect();
  }
  assert.ok(answers.some((error) => error.data?.code === "rate_limited"), JSON.stringify(answers.at(-1)));
});
