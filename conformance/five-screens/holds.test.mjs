// A slot that is held in one protocol is held in all of them.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { AppointEase, CLAIM, Native, Pusher, Site, SLOT, SocketIo, until } from "./screens.mjs";

let site, page, native, pusher, socket;
before(async () => {
  site = await Site.start();
  // The page of somebody whom nobody knows, and others who look on.
  page = await site.open(AppointEase, null);
  native = await site.open(Native);
  pusher = await site.open(Pusher);
  socket = await site.open(SocketIo);
});
after(() => site.close());

/** Everybody else sees the slot like this, each once. */
async function allSee(free) {
  const once = [[native, "slots.delta", "segments"], [pusher, "slots-updated", "slots"], [socket, "slots_update", "slots"]];
  for (const [screen, name, slots] of once) await screen.hears(name, (data) => data[slots].some((slot) => slot.free === free));
  await site.settle();
  for (const [screen, name] of once) assert.equal(screen.told(name).length, 1, JSON.stringify(screen.heard));
  site.forget();
}

/** Asks as a native client; gives the answer. */
async function command(type, rest) {
  const ref = Math.random();
  const before = native.heard.length;
  native.send({ type, ref, ...rest });
  const find = () => native.heard.slice(before).find(([, frame]) => frame.ref === ref);
  await until(() => `an answer to ${type}`, find);
  return find();
}

const refusedHold = () => site.hold().then(() => assert.fail("it was granted"), (error) => assert.match(error.message, /: 409 .*"code":"conflict"/));

test("a lock of AppointEase's page is a hold for everybody", async () => {
  assert.equal((await page.ask({ type: "lock_slot", ...SLOT }, "slot_locked")).expiresIn, 600);
  await allSee(0);
  await refusedHold();
  const [kind, error] = await command("hold", { claims: [CLAIM] });
  assert.deepEqual([kind, error.code], ["error", "conflict"]);
  await page.ask({ type: "unlock_slot", ...SLOT }, "slot_unlocked");
  await allSee(1);
});

test("a hold over /v1 refuses the lock of AppointEase's page, until it is released", async () => {
  const { id, fence } = await site.hold();
  await allSee(0);
  assert.equal((await page.ask({ type: "lock_slot", ...SLOT }, "slot_taken")).reason, "locked");
  await site.server.ask("POST", `/v1/holds/${id}/release`, { fence });
  await allSee(1);
  await page.ask({ type: "lock_slot", ...SLOT }, "slot_locked");
  await allSee(0);
  await page.ask({ type: "unlock_slot", ...SLOT }, "slot_unlocked");
  await allSee(1);
});

test("a hold of a native client refuses the page and the backend", async () => {
  const [kind, { reservation }] = await command("hold", { claims: [CLAIM] });
  assert.equal(kind, "ok");
  await page.hears("slot_taken");
  await allSee(0);
  await page.ask({ type: "lock_slot", ...SLOT }, "slot_taken");
  // The holder itself is given its own hold again, by whichever way it asks.
  assert.equal((await site.hold()).id, reservation.id);
  const other = site.hold(CLAIM, "bob@example.org");
  await assert.rejects(other, /: 409 .*"code":"conflict"/);
  await command("release", { reservation: reservation.id, fence: reservation.fence });
  await allSee(1);
});
