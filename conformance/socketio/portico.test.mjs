// Portico's present client: a path behind its proxy, cookies, and one event `message` in both directions.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { Site, connected, next, tokenOf, until } from "./people.mjs";

let site;
before(async () => (site = await Site.start()));
after(() => site.close());

for (const [where, path] of Object.entries({ "behind its prefix": "/wss/socket.io", "where a proxy has taken it off": "/socket.io" })) {
  test(`${where}: polling first, then a WebSocket, and messages as objects`, async () => {
    const client = site.client({ path, transports: ["polling", "websocket"], withCredentials: true, auth: { token: tokenOf("phpgw_accounts_7") } });
    await connected(client);
    await until("the WebSocket", () => client.io.engine.transport.name === "websocket");
    const came = next(client, "message");
    const message = { type: "notification", message: "Your application was approved", timestamp: "2026-01-31T09:00:00Z" };
    await site.publish("user_phpgw_accounts_7", "message", message);
    assert.deepEqual(await came, message);
    // What it says is for its own server; nobody else is told.
    const other = await site.user(`listener-${path.length}`);
    client.emit("message", { type: "chat", message: "to all" });
    const last = next(client, "message", (data) => data.type === "last");
    await site.publish("user_phpgw_accounts_7", "message", { type: "last" });
    await last;
    assert.deepEqual(other.heard, []);
    assert.ok(client.connected);
  });
}
