// The file that takes the place of a Next.js application's own Socket.IO server, as its routes call it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { transform } from "sucrase";

import { SECRET, test } from "../server.mjs";
import { Site, next } from "./people.mjs";

const FILE = path.resolve(import.meta.dirname, "../../integrations/nextjs/lib/socket-server.ts");

let site, routes;
before(async () => {
  site = await Site.start();
  process.env.DESKBELL_URL = site.server.http;
  process.env.DESKBELL_APP_SECRET = SECRET;
  // As Next.js does it: the types go, the rest stays.
  const { code } = transform(await readFile(FILE, "utf8"), { transforms: ["typescript"] });
  routes = await import(`data:text/javascript,${encodeURIComponent(code)}`);
});
after(() => site.close());

test("every function of it reaches exactly those it names", async () => {
  const [client, provider] = [await site.user("c-1"), await site.user("p-1", "PROVIDER")];
  const both = Promise.all([next(client, "booking_update"), next(provider, "booking_update")]);
  await routes.broadcastBookingAccepted({ id: "b-1", status: "CONFIRMED" }, { id: "c-1" }, { id: "p-1" });
  for (const event of await both) assert.deepEqual([event.action, event.data], ["accepted", { id: "b-1", status: "CONFIRMED" }]);
  for (const [tell, name, action] of [
    [() => routes.broadcastBookingUpdate("b-1", "status_changed", { newStatus: "COMPLETED" }, ["c-1"]), "booking_update", "status_changed"],
    [() => routes.broadcastPaymentUpdate("p-1", "released", { amount: 7 }, ["c-1"]), "payment_update", "released"],
    [() => routes.broadcastPayoutUpdate("po-1", "completed", {}, ["c-1"]), "payout_update", "completed"],
    [() => routes.broadcastPaymentStatusChange({ id: "p-1", status: "ESCROW" }, ["c-1"]), "payment_update", "status_changed"],
    [() => routes.broadcastPayoutStatusChange({ id: "po-1", status: "FAILED" }, ["c-1"]), "payout_update", "status_changed"],
  ]) {
    const came = next(client, name);
    await tell();
    assert.equal((await came).action, action, name);
  }
  const came = next(client, "notification");
  await routes.broadcastNotification(["c-1"], "info", "Title", "Message");
  const { type, title, message } = (await came).data;
  assert.deepEqual({ type, title, message }, { type: "info", title: "Title", message: "Message" });
  assert.equal(provider.heard.length, 1);
});

test("a server that is not there is logged, and the route goes on", async () => {
  process.env.DESKBELL_URL = "http://127.0.0.1:9";
  await routes.broadcastBookingUpdate("b-1", "accepted", {}, ["c-1"]);
});
