// The gap read as docs/pusher.md writes it: a page with pusher-js as it is, which goes away and comes back, and its backend.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { after, before } from "node:test";

import { SECRET, test } from "../server.mjs";
import { Site, until } from "./people.mjs";

const PAGE = await readFile(path.resolve(import.meta.dirname, "../../docs/pusher.md"), "utf8");
const LINES = PAGE.split("**The gap read**")[1].match(/```js\n([^]*?)```/)[1];

let site, application;
before(async () => {
  site = await Site.start('drain = "1s"\n');
  // The application's own route, for whoever may read the channel.
  application = http.createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url, "http://application");
    const asked = `${site.server.http}/v1/channels/${pathname.replace("/missed/", "")}/events${search}`;
    const answer = await fetch(asked, { headers: { authorization: `Bearer ${SECRET}` } });
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
  application.listen(0, "127.0.0.1");
  await once(application, "listening");
});
after(async () => {
  await site.close();
  application.close();
  application.closeAllConnections();
});

/** A page with these lines: the numbers that it took, those of them that came by its channel, and how often it began anew. */
function open() {
  const client = site.client();
  const page = { client, taken: [], live: [], reloads: 0 };
  const channel = client.subscribe("orders");
  const take = (name, { n }) => page.taken.push(n);
  channel.bind("n", (data) => (page.live.push(data.n), take("n", data)));
  const own = `http://127.0.0.1:${application.address().port}`;
  const here = { channel, take, fetch: (url) => fetch(`${own}${url}`), location: { reload: () => (page.reloads += 1) } };
  new Function(...Object.keys(here), LINES)(...Object.values(here));
  return page;
}

let sent = 0;
const trigger = () => site.backend.trigger("orders", "n", { n: sent++ });
const whole = (page) => new Set(page.taken).size === sent;

test("whoever asks after each cut has everything, also what it was away for, over a restart as well", async () => {
  await trigger();
  const page = open();
  await until("what was there before the page", () => whole(page));
  for (let round = 0; round < 5; round++) {
    await trigger();
    await until("what comes by the channel", () => whole(page));
    page.client.disconnect();
    // More than one page of the past.
    for (let n = 0; n < (round === 2 ? 120 : 3); n++) await trigger();
    if (round === 3) {
      await site.server.stop();
      await site.server.again();
    }
    page.client.connect();
    await until("what was missed", () => whole(page));
  }
  assert.deepEqual([...new Set(page.taken)].sort((a, b) => a - b), [...Array(sent).keys()]);
  assert.ok(page.live.length < sent / 2, "there was something to miss");
  assert.equal(page.reloads, 0);
});

test("whoever was away for longer than the past reaches back begins anew", async () => {
  const page = open();
  await until("all that is there", () => whole(page));
  page.client.disconnect();
  for (let at = 0; at < 1_010; at += 10) {
    await site.backend.triggerBatch([...Array(10).keys()].map((n) => ({ channel: "orders", name: "n", data: { n: at + n } })));
  }
  page.client.connect();
  await until("a page that begins anew", () => page.reloads === 1);
});
