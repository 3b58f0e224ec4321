// Who comes back gets exactly what it missed: socket.io-client's own recovery, against our log.
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before } from "node:test";

import { test } from "../server.mjs";
import { CONFIG, Site, TRANSPORTS, connected, cut, heard, next, until } from "./people.mjs";

const CUTS = process.env.DESKBELL_TEST_FULL ? 1_000 : 60;

let site;
before(async () => (site = await Site.start()));
after(() => site.close());

/** Cuts, publishes while nobody is there, and waits until the client is back. */
async function away(client, publish) {
  const back = next(client, "connect");
  cut(client);
  await publish();
  await back;
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  test(`${name}: after a cut it is who it was, in its rooms, and has what it missed`, async () => {
    const user = `cut-${name}`;
    const ann = await site.user(user, "CLIENT", { transports });
    await ann.emitWithAck("join_room", "lobby");
    const { id } = ann;
    await site.publish(`user_${user}`, "n", 0);
    await until("the first", () => heard(ann, "n").length === 1);
    await away(ann, async () => {
      for (const [at, room] of [`user_${user}`, "lobby", `user_${user}`].entries()) await site.publish(room, "n", at + 1);
    });
    assert.equal(ann.recovered, true);
    assert.equal(ann.id, id);
    await site.publish("lobby", "n", 4);
    await until("the last", () => heard(ann, "n").includes(4));
    assert.deepEqual(heard(ann, "n"), [0, 1, 2, 3, 4]);
  });
}

test("who had heard nothing yet comes back as who it was all the same", async () => {
  const ann = await site.user("quiet");
  await away(ann, () => site.publish("user_quiet", "n", 1));
  assert.equal(ann.recovered, true);
  await until("what was missed", () => heard(ann, "n").length === 1);
});

test("who comes back several times comes back each time", async () => {
  const ann = await site.user("often");
  for (let n = 0; n < 5; n++) {
    await away(ann, () => site.publish("user_often", "n", n));
    assert.equal(ann.recovered, true, `time ${n}`);
  }
  await until("all of it", () => heard(ann, "n").length === 5);
  assert.deepEqual(heard(ann, "n"), [0, 1, 2, 3, 4]);
});

test("a text as the last argument of an event is no place in the log", async () => {
  const ann = await site.user("texts");
  await site.publish("user_texts", "said", "no offset at all");
  await until("the text", () => ann.heard.length > 0);
  await away(ann, () => site.publish("user_texts", "said", "again"));
  assert.equal(ann.recovered, true);
  await until("the other", () => heard(ann, "said").length === 2);
});

/** Rules of an operator's own that show one event as twenty, which is more than one answer of polling takes. */
const MANY = Array.from({ length: 20 }, (_, place) => `as-${place}`);
const ROWS = ["deal", "user"].flatMap((from) =>
  MANY.map(
    (name) => `[[projections]]\ndialect = "socketio"\nchannel = "${from}s_{id}"\nfrom = "${from}:{id}"\nevent = "deal.made"\nname = "${name}"\ndata = '{"n":"$n"}'\n`,
  ),
);
const OPEN = ["deals_1", "users_1"].map((room) => `\n[[access]]\npattern = "${room}"\nallow = ["subscribe"]\nto = "everyone"\n`);

/** A network in front of a server that breaks behind so many more frames, if it is told to. */
async function network(server) {
  const [host, port] = server.address.split(":");
  const wire = { left: undefined };
  const listener = createServer((client) => {
    const beyond = connect(Number(port), host);
    for (const [one, other] of [[client, beyond], [beyond, client]]) one.on("error", () => {}).on("close", () => other.destroy());
    client.on("data", (bytes) => beyond.write(bytes));
    beyond.on("data", (bytes) => {
      while (wire.left !== undefined && bytes.length > 0) {
        if (wire.left === 0) {
          wire.left = undefined;
          client.end();
          return beyond.destroy();
        }
        wire.left -= 1;
        const size = bytes[1] < 126 ? 2 + bytes[1] : 4 + bytes.readUInt16BE(2);
        client.write(bytes.subarray(0, size));
        bytes = bytes.subarray(size);
      }
      client.write(bytes);
    });
  });
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  return Object.assign(wire, { http: `http://127.0.0.1:${listener.address().port}`, close: () => listener.close() });
}

for (const name of ["websocket", "polling"]) {
  test(`${name}: an event that is told as several is told whole, wherever the cut comes`, async (t) => {
    const own = await Site.start({ config: [CONFIG, ...OPEN, ...ROWS].join("") });
    const [wire, direct] = [await network(own.server), own.server.http];
    t.after(async () => (await own.close(), wire.close()));
    for (const from of ["deal", "user"]) {
      own.server.http = wire.http;
      const ann = await own.user("parts", "CLIENT", { transports: [name] });
      own.server.http = direct;
      assert.deepEqual(await ann.emitWithAck("join_room", `${from}s_1`), { success: true });
      for (let n = 0; n < MANY.length; n++) {
        const back = next(ann, "connect");
        // Behind the first packet of the first event, the second of the second; or behind what one answer takes.
        if (name === "websocket") wire.left = n + 1;
        else ann.once(MANY[15], () => cut(ann));
        await own.publish(`${from}:1`, "deal.made", { n });
        if (n === MANY.length - 1) await own.publish(`${from}:1`, "deal.made", { n: n + 1 });
        await back;
        assert.equal(ann.recovered, true, `${from} ${n}`);
        if (n === 10) {
          const again = next(ann, "connect");
          await own.server.stop();
          await own.server.again();
          await again;
          assert.equal(ann.recovered, true, `${from} after a restart`);
        }
        await until("the last of it", () => heard(ann, MANY.at(-1)).some((data) => data.n === n));
      }
      await until("what follows", () => heard(ann, MANY.at(-1)).some((data) => data.n === MANY.length));
      const told = ann.heard.filter(([name]) => name.startsWith("as-")).map(([name, data]) => `${data.n} ${name}`);
      assert.deepEqual(told, [...MANY.keys(), MANY.length].flatMap((n) => MANY.map((name) => `${n} ${name}`)), from);
      ann.disconnect();
    }
  });
}

test("who leaves is a new one when it comes", async () => {
  const ann = await site.user("leaver");
  const { id } = ann;
  ann.disconnect();
  ann.connect();
  await connected(ann);
  assert.equal(ann.recovered, false);
  assert.notEqual(ann.id, id);
});

test("after a crash it is a new one, and says so", async (t) => {
  const own = await Site.start();
  t.after(() => own.close());
  const ann = await own.user("crashed");
  await own.publish("user_crashed", "n", 1);
  await until("the first", () => heard(ann, "n").length === 1);
  const back = next(ann, "connect");
  await own.server.kill();
  await own.server.again();
  await back;
  assert.equal(ann.recovered, false, "a gap is never hidden");
  await own.publish("user_crashed", "n", 2);
  await until("what follows", () => heard(ann, "n").includes(2));
});

test("a deploy loses nothing", async (t) => {
  const own = await Site.start();
  t.after(() => own.close());
  const ann = await own.user("deployed");
  await own.publish("user_deployed", "n", 0);
  await until("the first", () => heard(ann, "n").length === 1);
  const back = next(ann, "connect");
  await own.server.stop();
  await own.server.again();
  for (let n = 1; n < 4; n++) await own.publish("user_deployed", "n", n);
  await back;
  await own.publish("user_deployed", "n", 4);
  await until("the last", () => heard(ann, "n").includes(4));
  if (ann.recovered) assert.deepEqual(heard(ann, "n"), [0, 1, 2, 3, 4]);
  else assert.fail("a clean restart keeps who was there");
});

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  test(`${name}: ${CUTS} cuts while somebody publishes without a pause: nothing lost, nothing twice`, { timeout: 600_000 }, async () => {
    const user = `stress-${name}`;
    const ann = await site.user(user, "CLIENT", { transports, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 });
    let [sent, came, going] = [0, 0, true];
    ann.on("n", () => (came += 1));
    const publishing = (async () => {
      while (going) {
        // Whoever is further behind than the room remembers would be somebody new, and rightly so.
        if (sent - came > 300) {
          await new Promise((turn) => setTimeout(turn, 1));
          continue;
        }
        await site.publish(`user_${user}`, "n", sent);
        sent += 1;
      }
    })();
    let again = 0;
    for (let n = 0; n < CUTS; n++) {
      const back = next(ann, "connect");
      cut(ann);
      await back;
      again += ann.recovered ? 1 : 0;
      // The next cut comes after some event, or before it: both happen.
      if (n % 2) await next(ann, "n");
    }
    going = false;
    await publishing;
    await until("the last", () => heard(ann, "n").at(-1) === sent - 1);
    assert.equal(again, CUTS, "each time it was who it had been");
    assert.deepEqual(heard(ann, "n"), Array.from({ length: sent }, (_, n) => n));
  });
}
