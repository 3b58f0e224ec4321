// Server-sent events with npm's `eventsource`.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { EventSource } from "eventsource";

import { Server, test } from "../server.mjs";

let server;
before(async () => (server = await Server.start({ flags: ["--dev"] })));
after(() => server.close());

/** Collects frames, and waits until enough of a type are there. */
function listen(url, options) {
  const source = new EventSource(url, options);
  const frames = [];
  let look = () => {};
  source.onmessage = (message) => {
    frames.push({ ...JSON.parse(message.data), lastEventId: message.lastEventId });
    look();
  };
  const enough = (type, count) => frames.filter((frame) => frame.type === type).length >= count;
  const until = (type, count = 1) =>
    new Promise((done) => {
      look = () => enough(type, count) && done(frames.filter((frame) => frame.type === type));
      look();
    });
  return { source, until };
}

test("events arrive, and their id is the frame's cursor", async (t) => {
  const { source, until } = listen(`${server.http}/v1/stream?channels=es-1`);
  t.after(() => source.close());
  await until("subscribed");
  const id = await server.publish("es-1", { n: 1 });
  const [event] = await until("event");
  assert.deepEqual([event.id, event.data], [id, { n: 1 }]);
  assert.equal(event.lastEventId, event.cursor);
});

test("after a restart it comes back by itself and gets exactly what it missed", async (t) => {
  const { source, until } = listen(`${server.http}/v1/stream?channels=es-2`);
  t.after(() => source.close());
  await until("subscribed");
  const sent = [await server.publish("es-2", 1)];
  await until("event");
  await server.stop();
  await server.again();
  for (let n = 2; n <= 4; n++) sent.push(await server.publish("es-2", n));
  const events = await until("event", sent.length);
  assert.deepEqual(events.map((event) => event.id), sent);
});
