// One hold, its confirmation and a cancellation over /v1, on five screens: each exactly once and in its own words.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { ANN, AppointEase, Native, Portico, Pusher, Site, SLOT, SocketIo } from "./screens.mjs";

const KINDS = [AppointEase, Portico, Native, Pusher, SocketIo];

let site;
before(async () => {
  site = await Site.start();
});
after(() => site.close());

/** What a person's screens are told of each step, as a number for each name. */
const WORDS = {
  hold: new Map([
    [AppointEase, { availability_update: 1 }],
    [Portico, { notification: 1, room_message: 1 }],
    [Native, { "hold.granted": 1, "slots.delta": 1 }],
    [Pusher, { "appointment-granted": 1, "slots-updated": 1 }],
    [SocketIo, { booking_update: 1, slots_update: 1 }],
  ]),
  confirm: new Map([
    [AppointEase, { update: 1 }],
    [Portico, { notification: 1, room_message: 1 }],
    [Native, { "booking.confirmed": 1, "slots.delta": 1 }],
    [Pusher, { "appointment-updated": 1, "appointment-confirmed": 1, "slots-updated": 1 }],
    [SocketIo, { booking_update: 1, slots_update: 1 }],
  ]),
  cancel: new Map([
    [AppointEase, { update: 1, availability_update: 1 }],
    [Portico, { notification: 1, room_message: 1 }],
    [Native, { "booking.cancelled": 1, "slots.delta": 1 }],
    [Pusher, { "appointment-updated": 1, "appointment-cancelled": 1, "slots-updated": 1 }],
    [SocketIo, { booking_update: 1, slots_update: 1 }],
  ]),
};

const openAll = async () => {
  site.screens.splice(0).forEach((screen) => screen.leave());
  const screens = new Map();
  for (const Kind of KINDS) screens.set(Kind, await site.open(Kind));
  await site.settle();
  site.forget();
  return screens;
};

const of = (screens, step) => new Map(KINDS.map((Kind) => [screens.get(Kind), WORDS[step].get(Kind)]));

test("one booking is told on five screens, once on each and in its own words", async (t) => {
  const screens = await openAll();
  const stranger = await site.open(AppointEase, null);
  const told = (step, strange) => site.told(of(screens, step).set(stranger, strange));
  const [page, portico, native, pusher, socket] = KINDS.map((Kind) => screens.get(Kind));

  const hold = await site.hold();
  t.after(() => site.free(hold));
  await told("hold", { slot_taken: 1, availability_update: 1 });
  assert.deepEqual(page.told("availability_update")[0].unavailable, [SLOT.time]);
  assert.deepEqual([stranger.told("slot_taken")[0].time, stranger.told("slot_taken")[0].data.employee_id], [SLOT.time, 1]);
  assert.deepEqual(portico.told("notification")[0].data, { id: hold.id, status: "held" });
  assert.equal(portico.told("room_message")[0].data.affected_timeslots[0].free, 0);
  assert.equal(native.told("hold.granted")[0].reservation.id, hold.id);
  assert.equal(pusher.told("appointment-granted")[0].id, hold.id);
  assert.equal(pusher.told("slots-updated")[0].slots[0].free, 0);
  assert.deepEqual(socket.told("booking_update")[0].data, { id: hold.id, status: "held" });

  site.forget();
  await site.confirm(hold);
  await told("confirm", { slot_taken: 1 });
  const [row] = page.told("update")[0].data.appointments;
  assert.deepEqual([row.id, row.status, row.email, row.employee_id], [hold.id, "confirmed", ANN, 1]);
  assert.equal(portico.told("notification")[0].data.status, "booked");
  assert.equal(native.told("booking.confirmed")[0].reservation.state, "booked");
  assert.deepEqual([pusher.told("appointment-confirmed")[0].id, pusher.told("appointment-updated")[0].status], [hold.id, "booked"]);
  assert.deepEqual([socket.told("booking_update")[0].action, socket.told("booking_update")[0].data.status], ["confirmed", "booked"]);

  site.forget();
  await site.cancel(hold);
  await told("cancel", { availability_update: 1 });
  assert.deepEqual(page.told("update")[0].data.appointments, []);
  assert.deepEqual(stranger.told("availability_update")[0].unavailable, []);
  assert.equal(portico.told("room_message")[0].data.affected_timeslots[0].free, 1);
  assert.equal(native.told("slots.delta")[0].segments[0].free, 1);
  assert.equal(pusher.told("appointment-cancelled")[0].status, "cancelled");
  assert.equal(socket.told("booking_update")[0].action, "cancelled");
});

for (const Kind of KINDS) {
  test(`${Kind.name} is cut between the hold and the confirmation, and catches up once`, async (t) => {
    const screens = await openAll();
    const away = screens.get(Kind);
    const stranger = await site.open(AppointEase, null);
    const told = (step, strange) => site.told(of(screens, step).set(stranger, strange));
    const hold = await site.hold();
    t.after(() => site.free(hold));
    await told("hold", { slot_taken: 1, availability_update: 1 });
    site.forget();
    await away.cut();
    await site.confirm(hold);
    // Only then is it past: a page that comes a moment earlier is told of it as of something new.
    await stranger.hears("slot_taken");
    await away.back();
    // Pages of that dialect ask for what there is.
    await told("confirm", { slot_taken: 1 });
    if (Kind === AppointEase) assert.equal(away.told("update")[0].data.appointments[0].id, hold.id);
    site.forget();
    await site.cancel(hold);
    await told("cancel", { availability_update: 1 });
  });
}
