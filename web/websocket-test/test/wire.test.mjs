// The page's own codecs, held against frames as the protocols write them.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as pusher from "../dist/wire/pusher.js";
import * as socketio from "../dist/wire/socketio.js";

test("Socket.IO: every packet of the server is read", () => {
  const open = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
  const cases = [
    [open, { kind: "open", sid: "a", pingInterval: 25_000, pingTimeout: 20_000 }],
    ['0{"sid":"a"}', { kind: "open", sid: "a", pingInterval: 25_000, pingTimeout: 20_000 }],
    ["1", { kind: "disconnected" }],
    ["2", { kind: "ping" }],
    ['40{"sid":"b"}', { kind: "connected", sid: "b" }],
    ['40{"sid":"b","pid":"p"}', { kind: "connected", sid: "b", pid: "p" }],
    ['40/api/socket,{"sid":"b"}', { kind: "connected", sid: "b" }],
    ["41", { kind: "disconnected" }],
    ['42["hello",1,{"a":[2]}]', { kind: "event", name: "hello", args: [1, { a: [2] }] }],
    ['4217["hello"]', { kind: "event", name: "hello", args: [] }],
    ['42/chat,["line\\nbreak"]', { kind: "event", name: "line\nbreak", args: [] }],
    ['4312[{"success":true}]', { kind: "answer", id: 12, args: [{ success: true }] }],
    ['44{"message":"Invalid token"}', { kind: "refused", message: "Invalid token" }],
    ["44", { kind: "refused", message: "refused" }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(socketio.decode(text), expected, text);
});

test("Socket.IO: what is no packet is nothing, and never an error", () => {
  for (const text of ["", "x", "0", "0{}", "0[1]", "2probe", "3probe", "40", "40{", "42", "42{}", "42[1]", "43[1]", '451-["a"]', "49"]) {
    assert.deepEqual(socketio.decode(text), { kind: "other", text }, text);
  }
});

test("Socket.IO: what is sent is what the protocol says", () => {
  assert.equal(socketio.connect(), "40");
  assert.equal(socketio.connect({ token: "t" }), '40{"token":"t"}');
  assert.equal(socketio.event("join_room", ["room"]), '42["join_room","room"]');
  assert.equal(socketio.event("join_room", ["room"], 0), '420["join_room","room"]');
  // What goes out is read again as what it was.
  assert.deepEqual(socketio.decode(socketio.event("a", [{ b: "ö" }], 3)), { kind: "event", name: "a", args: [{ b: "ö" }] });
});

test("Socket.IO: the place behind an event's arguments is taken off, and other arguments are not", () => {
  assert.deepEqual(socketio.placed([{ a: 1 }, "offset"]), { args: [{ a: 1 }], offset: "offset" });
  assert.deepEqual(socketio.placed([{ a: 1 }]), { args: [{ a: 1 }] });
  assert.deepEqual(socketio.placed([]), { args: [] });
});

test("Pusher: data is read twice where it is written twice", () => {
  assert.deepEqual(pusher.decode('{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\"}"}'),
    { event: "pusher:connection_established", data: { socket_id: "1.2" } });
  assert.deepEqual(pusher.decode('{"event":"e","channel":"c","data":"plain text"}'), { event: "e", channel: "c", data: "plain text" });
  assert.deepEqual(pusher.decode('{"event":"client-x","channel":"c","data":{"a":1},"user_id":"7"}'),
    { event: "client-x", channel: "c", data: { a: 1 }, userId: "7" });
  assert.deepEqual(pusher.decode('{"event":"e"}'), { event: "e", data: undefined });
  for (const text of ["", "[]", "null", "1", '{"data":"{}"}', '{"event":1}']) assert.equal(pusher.decode(text), undefined, text);
});

test("Pusher: what is sent is what the protocol says", () => {
  assert.equal(pusher.subscribe("c"), '{"event":"pusher:subscribe","data":{"channel":"c"}}');
  assert.equal(pusher.subscribe("presence-c", { auth: "k:s", channel_data: "{}" }),
    '{"event":"pusher:subscribe","data":{"channel":"presence-c","auth":"k:s","channel_data":"{}"}}');
  assert.equal(pusher.unsubscribe("c"), '{"event":"pusher:unsubscribe","data":{"channel":"c"}}');
  assert.equal(pusher.say("private-c", "client-x", { a: 1 }), '{"event":"client-x","channel":"private-c","data":{"a":1}}');
  assert.deepEqual(["private-a", "presence-a", "private-encrypted-a", "public-private-a", "a"].map(pusher.needsProof),
    [true, true, true, false, false]);
});

test("Pusher: members are those of the list", () => {
  assert.deepEqual(pusher.members({ presence: { count: 2, ids: ["5", 7], hash: {} } }), ["5", "7"]);
  assert.deepEqual([pusher.members({}), pusher.members(null), pusher.members("x")], [[], [], []]);
});
