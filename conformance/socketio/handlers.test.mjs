// Events that the application's backend handles: a POST for each, whose reply answers the client.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before } from "node:test";

import { SECRET, test } from "../server.mjs";
import { Site, connected, until } from "./people.mjs";

let site, backend;
const requests = [];
let [underWay, most] = [0, 0];
before(async () => {
  backend = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const said = JSON.parse(body);
      requests.push({ headers: request.headers, body, said });
      if (said.event === "broken") return answer.writeHead(500).end();
      if (said.event === "silent") return;
      if (said.event === "page") return answer.end("<html>");
      if (said.event === "empty") return answer.writeHead(204).end();
      if (said.event === "slow") {
        // The later one comes, the sooner it would be answered.
        most = Math.max(most, ++underWay);
        return setTimeout(() => (underWay--, answer.end(JSON.stringify(said.args[0]))), 10 - said.args[0]);
      }
      answer.end(JSON.stringify({ handled: said.event, n: said.args[0] }));
    });
  });
  await new Promise((done) => backend.listen(0, "127.0.0.1", done));
  site = await Site.start({ config: `
[[socketio_handlers]]
url = "http://127.0.0.1:${backend.address().port}/events?secret=path"
events = ["rate", "photo", "n", "broken", "silent", "page", "empty", "slow"]
timeout = "500ms"
` });
});
after(async () => {
  await site?.close();
  backend?.closeAllConnections();
  backend?.close();
});

test("an event arrives as the client said it, with who it is, signed; and its reply is the answer", async () => {
  const ann = await site.user("ann", "CLIENT");
  const answer = await ann.emitWithAck("rate", { stars: 5, text: "\u00e4" }, "b-1");
  assert.deepEqual(answer, { handled: "rate", n: { stars: 5, text: "\u00e4" } });
  const { headers, body, said } = requests.at(-1);
  assert.deepEqual(said, {
    namespace: "/", event: "rate", args: [{ stars: 5, text: "\u00e4" }, "b-1"], socket: ann.id, user: "ann", roles: ["CLIENT"], ack: true,
  });
  const key = createHmac("sha256", SECRET).update("deskbell webhook v1\0socketio").digest();
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
});

test("bytes of an event come along, each where the arguments say", async () => {
  const ann = await site.user("photos");
  const bytes = Buffer.from([0, 1, 254, 255]);
  const answer = await ann.emitWithAck("photo", { name: "a", data: bytes }, new Uint8Array([7]));
  assert.equal(answer.handled, "photo");
  const { args, attachments } = requests.at(-1).said;
  const of = (place) => (assert.equal(place._placeholder, true), Buffer.from(attachments[place.num], "base64"));
  assert.deepEqual([of(args[0].data), of(args[1]), args[0].name], [bytes, Buffer.from([7]), "a"]);
});

test("who is not known is nobody, and who waits for no answer is handled all the same", async () => {
  const nobody = await connected(site.client());
  const before = requests.length;
  nobody.emit("rate", 1);
  await until("the request", () => requests.length > before);
  const { user, roles, ack } = requests.at(-1).said;
  assert.deepEqual([user, roles, ack], [null, [], false]);
});

test("events of one client are handled in their order, however many it sends at once", async () => {
  const ann = await site.user("order");
  const order = Array.from({ length: 50 }, (_, n) => n);
  const answers = await Promise.all(order.map((n) => ann.emitWithAck("n", n)));
  assert.deepEqual(answers.map((answer) => answer.n), order);
  const mine = requests.filter(({ said }) => said.user === "order").map(({ said }) => said.args[0]);
  assert.deepEqual(mine, order);
});

test("answers keep the order of the events, also where the first takes longest", async () => {
  const ann = await site.user("slow");
  const came = [];
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(async (n) => {
    assert.equal(await ann.emitWithAck("slow", n), n);
    came.push(n);
  }));
  assert.deepEqual([came, most], [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1]);
});

test("a backend that fails, is silent or says something else is an answer that says so", async () => {
  const ann = await site.user("failing");
  for (const event of ["broken", "silent", "page"]) {
    const answer = await ann.emitWithAck(event, 1);
    assert.deepEqual([answer.success, answer.code], [false, "unavailable"], event);
  }
  assert.equal(await ann.emitWithAck("empty"), undefined);
  const unknown = await ann.emitWithAck("nobody handles this", 1);
  assert.deepEqual([unknown.success, unknown.code], [false, "unknown_type"]);
  assert.ok(ann.connected);
});
