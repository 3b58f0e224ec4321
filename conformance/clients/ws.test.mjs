// The native dialect with npm's `ws`.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before } from "node:test";

import WebSocket from "ws";

import { Server, test } from "../server.mjs";

let server;
before(async () => (server = await Server.start({ config: "[websocket]\ncompression = true\n", flags: ["--dev"] })));
after(() => server.close());

/** A client that keeps every frame, and gives the next one of a type. */
class Client {
  constructor(options = {}) {
    this.frames = [];
    this.socket = new WebSocket(server.ws, options);
    this.socket.on("message", (data) => {
      this.frames.push(JSON.parse(data));
      this.socket.emit("frame");
    });
  }

  async next(type) {
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.type === type);
      if (at >= 0) return this.frames.splice(0, at + 1).at(-1);
      await once(this.socket, "frame");
    }
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }
}

for (const perMessageDeflate of [false, true]) {
  test(`subscribes and receives, ${perMessageDeflate ? "compressed" : "plain"}`, async (t) => {
    const client = new Client({ perMessageDeflate });
    t.after(() => client.socket.terminate());
    await client.next("welcome");
    assert.equal(client.socket.extensions.includes("permessage-deflate"), perMessageDeflate);
    client.send({ type: "subscribe", ref: 1, channel: "ws-1" });
    await client.next("subscribed");
    const data = { text: "Grüße 😀 ".repeat(200) };
    const id = await server.publish("ws-1", data);
    const event = await client.next("event");
    assert.deepEqual([event.id, event.data], [id, data]);
  });
}

test("a message in fragments is one message", async (t) => {
  const client = new Client();
  t.after(() => client.socket.terminate());
  await client.next("welcome");
  for (const [part, fin] of [['{"type":"pi', false], ['ng","re', false], ['f":"f"}', true]]) {
    client.socket.send(part, { fin });
  }
  assert.deepEqual(await client.next("pong"), { type: "pong", ref: "f" });
});

test("a ping gets its own bytes back, a close its own code", async () => {
  const client = new Client();
  await client.next("welcome");
  client.socket.ping("are you there");
  const [pong] = await once(client.socket, "pong");
  assert.equal(pong.toString(), "are you there");
  client.socket.close(1000, "done");
  const [code] = await once(client.socket, "close");
  assert.equal(code, 1000);
});

test("a binary message is refused, and the connection goes on", async (t) => {
  const client = new Client();
  t.after(() => client.socket.terminate());
  await client.next("welcome");
  client.socket.send(Buffer.from([1, 2, 3]));
  assert.equal((await client.next("error")).code, "bad_message");
  client.send({ type: "ping" });
  await client.next("pong");
});

test("a clean stop announces itself, and the session goes on after it", async (t) => {
  const other = await Server.start({ flags: ["--dev"] });
  t.after(() => other.close());
  const open = () => {
    const socket = new WebSocket(other.ws);
    const frames = [];
    socket.on("message", (data) => frames.push(JSON.parse(data)));
    const until = async (type) => {
      while (!frames.some((frame) => frame.type === type)) await once(socket, "message");
      return frames.splice(0, frames.findIndex((frame) => frame.type === type) + 1).at(-1);
    };
    return { socket, until };
  };
  const first = open();
  const { resume } = await first.until("welcome");
  first.socket.send(JSON.stringify({ type: "subscribe", channel: "ws-2" }));
  const { cursor } = await first.until("subscribed");
  const closed = once(first.socket, "close");
  const stopped = other.stop();
  assert.ok((await first.until("closing")).reconnect_in_ms >= 0);
  assert.equal((await closed)[0], 1012);
  await stopped;
  await other.again();
  const id = await other.publish("ws-2", 1);
  const second = open();
  t.after(() => second.socket.terminate());
  await second.until("welcome");
  second.socket.send(JSON.stringify({ type: "hello", resume, cursor, channels: ["ws-2"] }));
  assert.equal((await second.until("welcome")).resumed, true);
  assert.equal((await second.until("event")).id, id);
});
