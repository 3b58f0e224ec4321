// The parts of the page that need no browser: who, which slots, who holds them, numbers, the plot.
import assert from "node:assert/strict";
import { test } from "node:test";

import { holders, wrong } from "../dist/holders.js";
import { invented, isShownAs, masked, named } from "../dist/identity.js";
import { ceiling, places } from "../dist/plot.js";
import { Day, isOf } from "../dist/slots.js";
import { Tally } from "../dist/tally.js";

const SLOT = { date: "2030-06-03", time: "10:00", employeeId: 7 };

test("identities: tokens, signed addresses, and the visitor behind them", () => {
  assert.deepEqual(named(""), [{ label: "this browser's visitor", query: "" }]);
  assert.deepEqual(named(" a.b.c \n\nann@x.org c2ln\nben@x.org,c2ln").map((one) => one.query),
    ["token=a.b.c", "email=ann%40x.org&sig=c2ln", "email=ben%40x.org&sig=c2ln", ""]);
  const three = invented("r").map((one) => one.label);
  assert.equal(new Set(three.map(masked)).size, 3, "they differ also where a server masks them");
});

test("a client is recognised by its label, also where the label is masked", () => {
  assert.equal(masked("ann@example.org"), "a***@e***.org");
  assert.ok(isShownAs("ann@example.org", "ann@example.org"));
  assert.ok(isShownAs("ann@example.org", "a***@e***.org"));
  assert.ok(!isShownAs("ann@example.org", "b***@e***.org"));
  assert.ok(!isShownAs("anonymous_1_a", "anonymous_1_b"));
  assert.ok(!isShownAs("ann@example.org", null));
});

test("holders: exactly the live locks of exactly this slot", () => {
  const lock = (more) => ({ date: SLOT.date, time: SLOT.time, employeeId: "7", clientId: "a", expired: false, ...more });
  const info = { locks: [lock(), lock({ time: "10:30" }), lock({ employeeId: "8" }), lock({ date: "2030-06-04" }), lock({ expired: true, clientId: "b" })] };
  assert.deepEqual(holders(info, SLOT), ["a"]);
  assert.deepEqual([holders({}, SLOT), holders({ locks: 1 }, SLOT)], [[], []]);
  assert.equal(wrong(["a"], "a"), undefined);
  assert.match(wrong(["b"], "a"), /^b holds it, not a$/);
  assert.match(wrong([], "a"), /^0 hold it/);
  assert.match(wrong(["a", "b"], "a"), /^2 hold it/);
});

test("slots: no slot is given twice, and a day ends", () => {
  const day = new Day(() => 0, 0);
  assert.deepEqual([day.date, day.employeeId], ["1970-07-20", 990_001]);
  const given = day.slots(32);
  assert.equal(new Set(given.map((slot) => slot.time)).size, 32);
  assert.deepEqual([given[0].time, given[1].time, given.at(-1).time], ["06:00", "06:30", "21:30"]);
  assert.throws(() => day.slot(), /the day is over/);
  assert.ok(isOf(SLOT, { ...SLOT, more: 1 }));
  assert.ok(!isOf(SLOT, { ...SLOT, employeeId: "7" }), "an id of another type is another id");
});

test("numbers: the mean is that of all, the plot has the newest", () => {
  let told = 0;
  const tally = new Tally(() => (told += 1));
  assert.equal(tally.mean(), undefined);
  for (let n = 1; n <= 300; n++) tally.timed(n);
  tally.countSent();
  tally.countReceived();
  tally.countError();
  assert.deepEqual([tally.mean(), tally.latencies.length, tally.latencies[0], told], [150.5, 200, 101, 303]);
  tally.clear();
  assert.deepEqual([tally.sent, tally.received, tally.errors, tally.mean(), tally.latencies], [0, 0, 0, undefined, []]);
});

test("the plot: round numbers above, everything inside", () => {
  assert.deepEqual([0.2, 1, 1.1, 2.5, 5.1, 10, 11, 730].map(ceiling), [1, 1, 2, 5, 10, 10, 20, 1_000]);
  for (const { x, y } of places([0, 3, 5], 5)) assert.ok(x >= 0 && x <= 600 && y >= 0 && y <= 140);
  assert.equal(places([1], 1).length, 1);
});
