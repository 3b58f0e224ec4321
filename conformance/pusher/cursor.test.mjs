// pusher-js with the plugin of web/sdk, cut again and again at any byte: whatever is triggered arrives once, in order.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, test } from "node:test";

import { carryCursor } from "../../web/sdk/dist/pusher.js";
import { SECRET } from "../server.mjs";
import { Site, next, record, subscribed, until } from "./people.mjs";

const FULL = process.env.DESKBELL_TEST_FULL !== undefined;
const [CUTS, READERS] = FULL ? [1000, 40] : [100, 20];
const CHANNELS = ["all", "private-some", "presence-room"];

let site, cutter;
before(async () => {
  site = await Site.start('drain = "1s"\n[pusher]\nmembers = 100\n');
  cutter = await Cutter.start(site.port);
});
after(async () => {
  await site.close();
  cutter.close();
});

/** Stands between clients and the server, and resets each connection behind so many bytes, until there were enough. */
class Cutter {
  static async start(to) {
    const cutter = new Cutter();
    Object.assign(cutter, { to, left: 0, made: 0, pairs: new Set() });
    cutter.server = net.createServer((client) => cutter.join(client));
    cutter.server.listen(0, "127.0.0.1");
    await once(cutter.server, "listening");
    cutter.port = cutter.server.address().port;
    return cutter;
  }

  /** A server that is being restarted is waited for: of an upgrade that fails Node's WebSocket hears nothing for 15 seconds. */
  async join(client) {
    client.pause();
    client.on("error", () => {});
    let server;
    for (;;) {
      server = net.connect(this.to, "127.0.0.1");
      const reached = await once(server, "connect").then(() => true, () => false);
      if (reached || client.destroyed) break;
      await new Promise((turn) => setTimeout(turn, 20));
    }
    const pair = { cut: () => [client, server].forEach((socket) => socket.resetAndDestroy()) };
    this.pairs.add(pair);
    client.on("data", (bytes) => server.write(bytes));
    client.resume();
    let room = this.left > 0 ? 400 + Math.floor(Math.random() ** 2 * 12_000) : Infinity;
    let rest = Buffer.alloc(0);
    server.on("data", (bytes) => {
      if (this.frames !== undefined) {
        rest = this.passFrames(Buffer.concat([rest, bytes]), client);
        // What was let through is read before the end is noticed, which a reset would not wait for.
        if (rest === undefined) (client.end(), server.destroy());
        return;
      }
      if (this.left === 0) room = Infinity;
      client.write(room < bytes.length ? bytes.subarray(0, room) : bytes);
      room -= bytes.length;
      if (room > 0) return;
      this.left -= 1;
      this.made += 1;
      pair.cut();
    });
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => (other.destroySoon(), this.pairs.delete(pair)));
    }
  }

  /** Lets so many whole frames of the server through. Gives the beginning of one that is not all there; nothing at the cut. */
  passFrames(bytes, client) {
    for (;;) {
      if (bytes.length < 2 || bytes.length < 2 + lengthBytes(bytes[1])) return bytes;
      const [short, wide] = [bytes[1] & 127, lengthBytes(bytes[1])];
      const length = 2 + wide + (wide === 0 ? short : wide === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)));
      if (bytes.length < length) return bytes;
      if (this.frames === 0) {
        this.frames = undefined;
        return undefined;
      }
      this.frames -= 1;
      client.write(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
  }

  cutAll() {
    for (const pair of this.pairs) pair.cut();
  }

  close() {
    this.cutAll();
    this.server.close();
  }
}

/** Bytes behind the second one in which a WebSocket frame says how long it is. */
const lengthBytes = (second) => ({ 126: 2, 127: 8 })[second & 127] ?? 0;

/** A client behind the cutter that keeps every number it hears. */
function reader(user) {
  const client = site.client({ user, options: { wsPort: cutter.port } });
  client.numbers = Object.fromEntries(CHANNELS.map((name) => [name, []]));
  client.resets = [];
  for (const name of CHANNELS) {
    const channel = client.subscribe(name);
    channel.bind("n", ({ n }) => client.numbers[name].push(n));
    channel.bind("deskbell:reset", (reset) => client.resets.push([name, reset]));
  }
  return client;
}

const stands = (client) => CHANNELS.every((name) => client.channel(name).subscribed);

test(`${CUTS} cuts and a restart: nothing is lost, nothing comes twice, nothing in another order`, { timeout: FULL ? 400_000 : 120_000 }, async (t) => {
  const readers = [...Array(READERS).keys()].map((n) => reader(`r${n}`));
  readers.forEach((client) => carryCursor(client));
  const stock = reader("stock");
  await until("everybody", () => [...readers, stock].every(stands));
  cutter.left = CUTS;
  cutter.cutAll();
  let sent = 0;
  let restarted = false;
  const deadline = Date.now() + (FULL ? 300_000 : 50_000);
  while (cutter.made < CUTS) {
    assert.ok(Date.now() < deadline, `only ${cutter.made} cuts were made`);
    if (!restarted && cutter.made >= CUTS / 2) {
      restarted = true;
      await site.server.stop();
      await site.server.again();
    }
    const data = { n: sent, filler: "x".repeat(Math.floor(Math.random() * 400)) };
    for (const name of CHANNELS) await site.backend.trigger(name, "n", data);
    sent += 1;
    await new Promise((turn) => setTimeout(turn, 40));
  }
  const wanted = [...Array(sent).keys()];
  const has = (client) => CHANNELS.every((name) => client.numbers[name].at(-1) === sent - 1);
  // A client that found nobody a few times lets ten seconds and more go by before it tries again.
  await until("the end", () => readers.every(has), 50_000).catch((error) => {
    const behind = readers.filter((client) => !has(client)).map((client) => [
      client.connection.state, client.errors.at(-1), CHANNELS.map((name) => [client.channel(name).subscribed, client.numbers[name].at(-1)]),
    ]);
    throw new Error(`${error.message}: ${JSON.stringify(behind)} of ${sent}`);
  });
  for (const client of readers) {
    for (const name of CHANNELS) assert.deepEqual(client.numbers[name], wanted, name);
    assert.deepEqual(client.resets, []);
  }
  // The same without the plugin, to show that there was something to lose.
  const heard = Object.values(stock.numbers).flat().length;
  assert.ok(heard < CHANNELS.length * sent, `a stock client has heard all ${heard}`);
  const events = READERS * CHANNELS.length * sent;
  t.diagnostic(`measured: ${cutter.made} cuts of pusher-js with its plugin, ${events} events, 0 lost, 0 doubled`);
});

test("a cache channel gives its last event to whoever has not had it", async () => {
  const ann = site.client({ options: { wsPort: cutter.port } });
  carryCursor(ann);
  const channel = ann.subscribe("cache-kept");
  const heard = record(channel, "price", "pusher:cache_miss");
  await next(channel, "pusher:cache_miss");
  await site.backend.trigger("cache-kept", "price", 1);
  await until("the price", () => heard.length === 2);
  const again = next(channel, "pusher:subscription_succeeded");
  cutter.cutAll();
  await site.backend.trigger("cache-kept", "price", 2);
  await again;
  const third = next(channel, "price", (data) => data === 3);
  await site.backend.trigger("cache-kept", "price", 3);
  await third;
  assert.deepEqual(heard.map(([, data]) => data).slice(1), [1, 2, 3]);
});

test("whoever comes back too late is told so before anything later", async () => {
  const ann = site.client({ options: { wsPort: cutter.port } });
  carryCursor(ann);
  const channel = await subscribed(ann, "full");
  const heard = record(channel, "deskbell:reset", "n");
  await site.backend.trigger("full", "n", 0);
  await until("the first", () => heard.length === 1);
  ann.disconnect();
  for (let at = 1; at <= 1010; at += 10) {
    await site.backend.triggerBatch([...Array(10).keys()].map((n) => ({ channel: "full", name: "n", data: at + n })));
  }
  ann.connect();
  // What comes before the reset is part of what is to be loaded anew.
  await next(channel, "deskbell:reset");
  await site.backend.trigger("full", "n", "last");
  await until("the end", () => heard.length === 3);
  assert.deepEqual(heard.map(([name]) => name), ["n", "deskbell:reset", "n"]);
  assert.equal(heard[1][1].reason, "expired");
  assert.ok(heard[1][1].reload_in_ms <= 10_000);
  assert.equal(heard[2][1], "last");
});

test("whoever leaves a channel begins anew, and what was to pass by it passes by its next socket", async () => {
  const ann = site.client({ options: { wsPort: cutter.port } });
  carryCursor(ann);
  const left = await subscribed(ann, "left");
  const kept = await subscribed(ann, "kept");
  const heard = ["left", "kept"].map((name) => record(ann.channel(name), "n"));
  await site.backend.trigger(["left", "kept"], "n", 1);
  await until("the first", () => heard.every((list) => list.length === 1));
  ann.unsubscribe("left");
  const socket = ann.connection.socket_id;
  const again = next(kept, "pusher:subscription_succeeded");
  cutter.cutAll();
  await site.backend.trigger(["left", "kept"], "n", 2);
  await site.backend.trigger("kept", "n", 3, { socket_id: socket });
  await again;
  const anew = await subscribed(ann, "left");
  const late = record(anew, "n");
  // Also what is triggered now with the name that its socket had when the page sent its request.
  await site.backend.trigger(["left", "kept"], "n", 4, { socket_id: socket });
  await site.backend.trigger(["left", "kept"], "n", 5);
  await until("the last", () => late.length === 1 && heard[1].length === 3);
  assert.deepEqual(heard[1].map(([, n]) => n), [1, 2, 5]);
  assert.deepEqual([late.map(([, n]) => n), heard[0].map(([, n]) => n), left.subscribed], [[5], [1], false]);
});

test("what a channel shows of the ledger, or of its name with both prefixes, comes back over a cut, too", async () => {
  const ann = site.client({ options: { wsPort: cutter.port } });
  carryCursor(ann);
  const channel = await subscribed(ann, "private-notifications.5");
  const heard = record(channel, "n", "general-notification", "deskbell:reset");
  const notify = async (text) => {
    const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
    const body = JSON.stringify({ user: "5", type: "note", title: text });
    const answer = await fetch(`${site.server.http}/v1/notifications`, { method: "POST", headers, body });
    assert.ok(answer.ok, await answer.text());
  };
  await notify("one");
  await until("the first", () => heard.length === 1);
  for (let round = 0; round < 3; round++) {
    const before = heard.length;
    const again = next(channel, "pusher:subscription_succeeded");
    cutter.cutAll();
    await notify(`away ${round}`);
    await site.backend.trigger("private-private-notifications.5", "n", 10 * round);
    await site.backend.trigger("private-notifications.5", "n", 10 * round + 1);
    await again;
    await site.backend.trigger("private-private-notifications.5", "n", 10 * round + 2);
    await until("all of the round", () => heard.length === before + 4);
  }
  // The ledger's rows and memory's events are read one behind the other, each in its own order.
  assert.deepEqual(heard.filter(([name]) => name === "n").map(([, n]) => n), [0, 1, 2, 10, 11, 12, 20, 21, 22]);
  assert.equal(heard.filter(([name]) => name === "general-notification").length, 4);
  assert.equal(heard.length, 13, JSON.stringify(heard.filter(([name]) => name === "deskbell:reset")));
});

test("an event of which a client sees several frames is cut at each of them: nothing is lost, nothing comes twice", async (t) => {
  const seen = ["private-appointments.7", "private-private-appointments.7"];
  // What the ledger's channel says is shown under both names of both channels; what the backend says by the channel's own name, too.
  const sources = {
    ledger: (n) => site.server.publish("user:7", { reservation: { id: n } }, "booking.confirmed"),
    backend: (n) => site.backend.trigger(seen[0], "appointment-updated", { n, action: "confirmed" }),
  };
  for (const [source, say] of Object.entries(sources)) {
    const ann = site.client({ options: { wsPort: cutter.port } });
    carryCursor(ann);
    const heard = [];
    for (const name of seen) {
      const channel = await subscribed(ann, name);
      for (const event of ["appointment-updated", "appointment-confirmed"]) channel.bind(event, () => heard.push([name, event]));
      channel.bind("deskbell:reset", (reset) => assert.fail(JSON.stringify(reset)));
    }
    const frames = 4;
    for (let behind = 0; behind <= frames; behind++) {
      heard.length = 0;
      const again = new Promise((done) => ann.channel(seen[1]).bind("pusher:subscription_succeeded", done));
      cutter.frames = behind;
      await say(behind);
      // Where all of it got through, the cut comes with what is said next.
      if (behind === frames) await say(behind + 1);
      await again;
      const wanted = behind === frames ? 2 * frames : frames;
      await until(`all frames, cut behind ${behind}`, () => heard.length >= wanted);
      ann.send_event("pusher:ping", {});
      await next(ann.connection, "message", ({ event }) => event === "pusher:pong");
      const kinds = [...new Set(heard.map(String))];
      const counts = kinds.map((kind) => heard.filter((one) => String(one) === kind).length);
      assert.deepEqual(counts, Array(frames).fill(wanted / frames), `${source}, cut behind frame ${behind}: ${JSON.stringify(heard)}`);
    }
    t.diagnostic(`measured: ${source}: cut at each of ${frames + 1} places, 0 lost, 0 doubled`);
    ann.disconnect();
  }
});

test("a listener that throws, or that hangs up, takes nothing from the others of the event that it was told of", async () => {
  const ann = site.client({ options: { wsPort: cutter.port } });
  carryCursor(ann);
  const channel = await subscribed(ann, "private-appointments.9");
  const heard = record(channel, "appointment-updated", "appointment-confirmed");
  const thrown = [];
  const { transport } = ann.connection.connection;
  const take = transport.onMessage;
  transport.onMessage = (message) => {
    try { take(message); } catch (error) { thrown.push(error.message); }
  };
  channel.bind("appointment-updated", ({ id }) => {
    if (id === 1) throw new Error("a listener's own");
    if (id === 2) ann.disconnect();
  });
  const confirm = (id) => site.server.publish("user:9", { reservation: { id } }, "booking.confirmed");
  await confirm(1);
  await until("both, whoever threw", () => heard.length >= 2 && thrown.length === 1);
  await confirm(2);
  await until("the first frame", () => heard.length >= 3);
  ann.connect();
  await until("the second", () => heard.length >= 4);
  await confirm(3);
  await until("both of the next", () => heard.length >= 6);
  assert.deepEqual(heard.map(([name, { id }]) => [name, id]), [1, 2, 3].flatMap((id) => [["appointment-updated", id], ["appointment-confirmed", id]]));
  assert.deepEqual(thrown, ["a listener's own"]);
});
