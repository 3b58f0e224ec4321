// The page of one's own that the README shows, as it stands there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { Server, test } from "../server.mjs";
import { launch } from "./chromium.mjs";

test("the README's page shows what is published, also what it missed", async (t) => {
  const readme = await readFile(path.resolve(import.meta.dirname, "../../README.md"), "utf8");
  const [, html] = readme.match(/^```html\n(.*?)^```$/ms);
  const server = await Server.start({ config: 'drain = "1s"\n' });
  t.after(() => server.close());
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  // The page comes from the server's own origin, as from a proxy in front of site and server.
  await page.route("**/readme.html", (route) =>
    route.fulfill({ contentType: "text/html", body: html.replaceAll("127.0.0.1:8080", server.address) }));
  // The first attempts after a restart may meet nobody, so any socket of the page counts.
  let heard = () => {};
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) =>
    payload.includes('"subscribed"') && heard()));
  const subscribed = () => new Promise((done) => (heard = done));
  let ready = subscribed();
  await page.goto(`${server.http}/readme.html`);
  await ready;
  const said = async (action) => {
    const line = page.waitForEvent("console", (line) => line.type() === "log");
    await action();
    return (await line).text();
  };
  assert.match(await said(() => server.publish("public-lobby", "one", "hello")), /^hello one$/);
  ready = subscribed();
  await server.stop();
  await server.again();
  assert.match(await said(() => server.publish("public-lobby", "two", "hello")), /^hello two$/);
  await ready;
});
