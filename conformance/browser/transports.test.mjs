// What a browser's own EventSource, fetch, WebSocket and cookie jar make of the server.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { Server, test } from "../server.mjs";
import { launch, open } from "./chromium.mjs";

// Heartbeats come every second, so that a test can wait for one; a stop does not spread out over half a minute.
const CONFIG = 'heartbeat = "1s"\ndrain = "1s"\n';

let server, browser, context, page;
before(async () => {
  server = await Server.start({ config: CONFIG, flags: ["--dev"] });
  browser = await launch();
  context = await browser.newContext();
  page = await open(context, `${server.http}/`);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Opens an EventSource in the page under a name, and keeps what it gets. */
function listen(name, channel) {
  return page.evaluate(([name, channel]) => {
    const source = new EventSource(`/v1/stream?channels=${channel}`);
    const kept = (window[name] = { source, frames: [], opened: 0 });
    source.onopen = () => (kept.opened += 1);
    source.onmessage = (message) => kept.frames.push({ ...JSON.parse(message.data), lastEventId: message.lastEventId });
  }, [name, channel]);
}

/** Waits until so many frames of a type are there; gives them. */
async function frames(name, type, count = 1) {
  const find = ([name, type]) => window[name].frames.filter((frame) => frame.type === type);
  await page.waitForFunction(([name, type, count]) => window[name].frames.filter((f) => f.type === type).length >= count,
    [name, type, count]);
  return page.evaluate(find, [name, type]);
}

test("EventSource: after a restart it goes on by itself with Last-Event-ID, and gets exactly what it missed", async () => {
  await listen("restarted", "br-1");
  await frames("restarted", "subscribed");
  const sent = [await server.publish("br-1", 1)];
  const [first] = await frames("restarted", "event");
  const asked = [];
  page.on("request", (request) => request.url().includes("br-1") && asked.push(request));
  await server.stop();
  await server.again();
  for (let n = 2; n <= 4; n++) sent.push(await server.publish("br-1", n));
  const events = await frames("restarted", "event", sent.length);
  assert.deepEqual(events.map((event) => event.id), sent);
  assert.equal(await page.evaluate(() => window.restarted.opened), 2);
  const headers = await asked.at(-1).allHeaders();
  assert.equal(headers["last-event-id"], first.cursor);
  assert.deepEqual(await page.evaluate(() => window.restarted.frames.filter((frame) => frame.type === "reset")), []);
  await page.evaluate(() => window.restarted.source.close());
});

test("EventSource: heartbeats without data move lastEventId on, so that a quiet channel never expires", async () => {
  // The quiet channel's reader is to come back with a cursor from after the noise, not from its last event.
  await listen("quiet", "br-2");
  await frames("quiet", "subscribed");
  // A second reader beside it shows what no EventSource does: an `id:` in a block without `data:`.
  await page.evaluate(async () => {
    window.beats = [];
    const answer = await fetch("/v1/stream?channels=br-2");
    window.beating = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    (async () => {
      for (let text = "", part; !(part = await beating.read()).done; ) {
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop();
        beats.push(...blocks.map((block) => block.match(/^id: ?([\w-]+)$/)?.[1]).filter(Boolean));
      }
    })();
  });
  const beat = (cursor, times) => page.waitForFunction(([cursor, times]) =>
    window.beats.filter((beat) => !cursor || beat === cursor).length >= times, [cursor, times]);
  await beat(null, 1);
  for (let n = 0; n < 3; n++) await server.publish("br-noise", n);
  const head = await fetch(`${server.http}/v1/poll?channels=br-2`).then((answer) => answer.json());
  assert.notEqual(await page.evaluate(() => window.beats[0]), head.cursor);
  // Between two heartbeats of the one reader there was one of the other.
  await beat(head.cursor, 2);
  await page.evaluate(() => window.beating.cancel());
  // The next message carries its own id, so what the heartbeat set is seen in the request after a restart.
  const asked = page.waitForResponse((answer) => answer.url().includes("br-2"));
  await server.stop();
  await server.again();
  const headers = await (await asked).request().allHeaders();
  assert.equal(headers["last-event-id"], head.cursor);
  await page.evaluate(() => window.quiet.source.close());
});

test("fetch: a long poll waits for what comes, and the next one goes on behind it", async () => {
  const poll = (cursor) => page.evaluate((query) => fetch(`/v1/poll?channels=br-3&${query}`).then((a) => a.json()),
    cursor ? `cursor=${cursor}&wait=20` : "");
  const { cursor } = await poll();
  const waiting = poll(cursor);
  const one = await server.publish("br-3", 1);
  const first = await waiting;
  assert.deepEqual(first.events.map((event) => event.id), [one]);
  const two = await server.publish("br-3", 2);
  const second = await poll(first.cursor);
  assert.deepEqual([second.events.map((event) => event.id), second.reset], [[two], []]);
});

test("WebSocket: a session resumes with its key, cursor and channels", async () => {
  const first = await page.evaluate(async () => {
    window.connect = () => {
      const socket = new WebSocket(`ws://${location.host}/v1/ws`);
      const frames = [];
      let woken = () => {};
      socket.onmessage = (message) => (frames.push(JSON.parse(message.data)), woken());
      const next = async (type) => {
        for (;;) {
          const at = frames.findIndex((frame) => frame.type === type);
          if (at >= 0) return frames.splice(0, at + 1).at(-1);
          await new Promise((done) => (woken = done));
        }
      };
      return { next, say: (frame) => socket.send(JSON.stringify(frame)), socket };
    };
    const client = connect();
    const { resume, session } = await client.next("welcome");
    client.say({ type: "subscribe", channel: "br-4" });
    const { cursor } = await client.next("subscribed");
    client.socket.close();
    return { resume, session, cursor };
  });
  const sent = [await server.publish("br-4", 1), await server.publish("br-4", 2)];
  const second = await page.evaluate(async ({ resume, cursor }) => {
    const client = connect();
    await client.next("welcome");
    client.say({ type: "hello", resume, cursor, channels: ["br-4"] });
    const { resumed, session } = await client.next("welcome");
    const ids = [(await client.next("event")).id, (await client.next("event")).id];
    client.socket.close();
    return { resumed, session, ids };
  }, first);
  assert.deepEqual(second, { resumed: true, session: first.session, ids: sent });
});

test("the visitor cookie is set once, hidden from scripts, and shared by the tabs of a browser", async (t) => {
  const fresh = await browser.newContext();
  t.after(() => fresh.close());
  const visitor = async () => (await fresh.cookies()).find((cookie) => cookie.name === "deskbell_visitor");
  const tab = async () => {
    const page = await open(fresh, `${server.http}/`);
    await page.getByText("Listening on public-lobby").waitFor();
    return page;
  };
  const one = await tab();
  const first = await visitor();
  assert.ok(first?.value, "the browser kept a cookie");
  assert.deepEqual([first.httpOnly, first.sameSite], [true, "Lax"]);
  assert.equal(await one.evaluate(() => document.cookie), "");
  await tab();
  assert.equal((await visitor()).value, first.value);
  const stranger = await browser.newContext();
  t.after(() => stranger.close());
  const page = await open(stranger, `${server.http}/`);
  await page.getByText("Listening on public-lobby").waitFor();
  const other = (await stranger.cookies()).find((cookie) => cookie.name === "deskbell_visitor");
  assert.notEqual(other.value, first.value);
});
