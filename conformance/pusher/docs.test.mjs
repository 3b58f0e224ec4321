// What docs/pusher.md tells a Laravel developer to write, as it is written there: the lines of `.env`, given to Laravel,
// and those of `echo.js`, given to Laravel Echo. The server is one that was started for the first time.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import Echo from "laravel-echo";
import PusherJs from "pusher-js";

import { Server, test } from "../server.mjs";
import { LaravelBackend } from "./backends.mjs";
import { until } from "./people.mjs";

const PAGE = await readFile(path.resolve(import.meta.dirname, "../../docs/pusher.md"), "utf8");
const LARAVEL = PAGE.split("\n## Laravel\n")[1].split("\n## ")[0];
/** The block behind a sentence. */
const block = (sentence) => LARAVEL.split(sentence)[1].match(/```\w*\n([^]*?)```/)[1];

let server, laravel, env;
before(async () => {
  const nobody = { DESKBELL_APP_ID: undefined, DESKBELL_APP_KEY: undefined, DESKBELL_APP_SECRET: undefined };
  server = await Server.start({ env: nobody });
  const credentials = await readFile(path.join(server.data, "credentials.toml"), "utf8");
  const [host, port] = server.address.split(":");
  const made = (name) => credentials.match(new RegExp(`^${name} = "?([^"\n]+)"?$`, "m"))[1];
  const written = block("in `.env`:").replaceAll("<key>", made("key")).replaceAll("<secret>", made("secret"));
  env = Object.fromEntries(written.trim().split("\n").map((line) => line.split("=")));
  // What the page says of older applications; Debian's Laravel is one.
  assert.ok(LARAVEL.includes(`Up to Laravel 10 the first line is \`BROADCAST_DRIVER=${env.BROADCAST_CONNECTION}\``));
  env.BROADCAST_DRIVER = env.BROADCAST_CONNECTION;
  assert.equal(env.PUSHER_APP_ID, made("id"));
  assert.deepEqual([env.PUSHER_HOST, env.PUSHER_PORT], ["bell.example.org", "8080"]);
  [env.PUSHER_HOST, env.PUSHER_PORT] = [host, port];
  // Nothing else is there than what the page has.
  laravel = await LaravelBackend.start({ host: undefined, port: "" }, undefined, { PUSHER_MASTER_KEY: undefined, PUSHER_SCHEME: undefined, ...env });
});
after(async () => {
  await laravel?.close();
  await server.close();
});

/** Runs the lines of `echo.js` in a window. The page would be of the application's own origin, so its endpoint is told. */
function page(user) {
  const [host, port] = server.address.split(":");
  const window = {};
  const lines = block("In `resources/js/echo.js`").replaceAll("import.meta.env.VITE_PUSHER_APP_KEY", "key")
    .replace("'bell.example.org'", JSON.stringify(host)).replace("8080", port);
  assert.ok(lines.includes(host) && lines.includes(port) && lines.includes("key: key"), lines);
  const here = { Pusher: PusherJs, authEndpoint: `${laravel.url}/broadcasting/auth`, auth: { params: { user, info: user } } };
  const Own = class extends Echo {
    constructor(options) {
      super({ ...options, ...here });
    }
  };
  new Function("window", "Echo", "key", lines)(window, Own, env.PUSHER_APP_KEY);
  return window.Echo;
}

test("the lines of .env and of echo.js are all that it takes", async (t) => {
  const [ann, bob] = [page("ann"), page("bob")];
  t.after(() => [ann, bob].forEach((echo) => echo.disconnect()));
  const heard = [];
  const hear = (channel) => channel.listen(".told", ({ n }) => heard.push([channel.name, n]));
  const subscribed = [];
  const wait = (channel) => channel.subscribed(() => subscribed.push(channel.name));
  const open = wait(hear(ann.channel("orders")));
  const own = wait(hear(ann.private("appointments.ann")));
  assert.ok(open && own);
  const people = [];
  ann.join("room").here((here) => people.push(here.length)).joining(() => people.push("joining"));
  await until("all three", () => subscribed.length === 2 && people.length === 1);
  bob.join("room");
  await until("the other", () => people.length === 2);
  assert.deepEqual(people, [1, "joining"]);
  await laravel.trigger(["orders", "private-appointments.ann"], "told", { n: 1 });
  await until("both", () => heard.length === 2);
  assert.deepEqual(heard.sort(), [["orders", 1], ["private-appointments.ann", 1]]);
});
