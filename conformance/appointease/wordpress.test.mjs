// A booking at a WordPress reaches every open page: by its WebSocket, by the poll through the proxies' lines, and by the
// poll after Deskbell was away.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { launch, open } from "../browser/chromium.mjs";
import { test } from "../server.mjs";
import { Site } from "./site.mjs";

const DATE = "2025-11-03";
let site, browser;
before(async () => {
  [site, browser] = await Promise.all([Site.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** A page of the site; without a WebSocket where the browser shall have none. */
async function visit(t, { sockets = true, port = site.nginx } = {}) {
  const context = await browser.newContext();
  t.after(() => context.close());
  if (!sockets) await context.addInitScript(() => delete window.WebSocket);
  const page = await open(context, `http://127.0.0.1:${port}/`);
  await page.locator("#mode", { hasText: sockets ? "websocket" : "polling" }).waitFor();
  return page;
}

const heard = (page, text) => page.locator("#heard li", { hasText: text });

async function watch(page, time) {
  const answers = await heard(page, "websocket availability_update").count();
  await page.evaluate(([date, time]) => {
    realtime.send("watch_slot", { date, time, employeeId: 1 });
    realtime.send("check_availability", { date, employeeId: 1 });
  }, [DATE, time]);
  await heard(page, "websocket availability_update").nth(answers).waitFor();
}

for (const [form, time] of Object.entries({ json: "09:00", undeclared: "10:00", form: "11:00" })) {
  test(`a booking that the site tells as ${form} reaches a page, and one without a WebSocket`, async (t) => {
    const [live, polling] = [await visit(t), await visit(t, { sockets: false })];
    // The first answer says where it stands.
    await polling.waitForResponse((answer) => answer.url().includes("/realtime/poll"));
    await watch(live, time);
    const booked = await site.book(form, `${DATE} ${time}:00`);
    assert.match(booked.appointment_id, /^APT-2025-\d+$/);
    await heard(live, `websocket slot_taken ${DATE} ${time}`).waitFor();
    await heard(live, new RegExp(`websocket availability_update ${DATE} .*${time}`)).waitFor();
    await heard(polling, `polling slot_taken ${DATE} ${time}`).first().waitFor();
    assert.equal(await heard(live, `websocket slot_taken ${DATE} ${time}`).count(), 1);
    const { reservations } = await site.deskbell.ask("GET", "/v1/bookings?email=ann%40example.org");
    assert.equal(reservations.filter((one) => one.external_ref === booked.appointment_id).length, 1);
    // Nothing personal is told to who has proven nothing.
    assert.doesNotMatch(await polling.locator("#heard").textContent(), /appointment\.created|ann@/);
    assert.deepEqual([live.faults, polling.faults], [[], []]);
  });
}

test("the poll comes through Apache's lines, too", async (t) => {
  const page = await visit(t, { sockets: false, port: site.apache });
  // Its own origin, so that the questions take the way of these lines.
  await page.evaluate((port) => (realtime.pollingUrl = realtime.pollingUrl.replace(/:\d+/, `:${port}`)), site.apache);
  await page.waitForResponse((answer) => answer.url().includes(`:${site.apache}/wp-json/appointease/v1/realtime/poll`) && answer.ok());
  await site.book("json", `${DATE} 12:00:00`, site.apache);
  await heard(page, `polling slot_taken ${DATE} 12:00`).first().waitFor();
});

test("what a page asks about slots comes through the lines of both proxies, whichever way it names it", async () => {
  const slot = { date: DATE, time: "14:00", employee_id: 7 };
  for (const port of [site.nginx, site.apache]) {
    const ask = async (route, body = slot) => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`http://127.0.0.1:${port}/wp-json/${route}`, { method: "POST", headers, body: JSON.stringify(body) });
      assert.equal(answer.status, 200, `${route} at ${port}: ${await answer.clone().text()}`);
      return answer.json();
    };
    const { client_id } = await ask("appointease/v1/lock-slot");
    for (const route of ["appointease/v1/availability", "appointease/v1/reschedule-availability", "booking/v1/availability"]) {
      assert.deepEqual((await ask(route)).unavailable, [slot.time], route);
    }
    assert.equal((await ask("appointease/v1/check-slot")).available, false);
    await ask("appointease/v1/unlock-slot", { client_id });
    assert.equal((await ask("appointease/v1/check-slot")).available, true);
  }
});

test("Deskbell stops, the page polls, Deskbell returns: the page sees the next change through the poll", async (t) => {
  const page = await visit(t);
  await site.deskbell.stop();
  await page.locator("#mode", { hasText: "polling" }).waitFor();
  await site.deskbell.again();
  await site.book("json", `${DATE} 13:00:00`);
  await heard(page, `polling slot_taken ${DATE} 13:00`).first().waitFor();
  assert.deepEqual(page.faults, []);
});
