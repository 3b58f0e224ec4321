// The story, told by every client and every backend's library that there is.
import { after, before, describe } from "node:test";

import { test } from "../server.mjs";
import { Application, launch } from "./application.mjs";
import { LaravelBackend, NpmBackend, PyBackend, Redis, freePort } from "./backends.mjs";
import { story } from "./story.mjs";

/** One telling with a server and an application of its own. */
async function tell(Backend, enterBy, { config, ...more } = {}) {
  const application = await Application.start(Backend, config);
  try {
    await story({ enter: enterBy(application), backend: application.backend, told: () => application.told(), ...more });
  } finally {
    await application.close();
  }
}

for (const [name, Backend, enterBy] of [
  ["pusher-js, with npm's pusher", NpmBackend, (application) => application.inNode()],
  ["laravel-echo's pusher connector", NpmBackend, (application) => application.withEcho("pusher")],
  ["laravel-echo's reverb connector", NpmBackend, (application) => application.withEcho("reverb")],
  ["PyPI's pusher", PyBackend, (application) => application.inNode()],
  ["Laravel's pusher driver", LaravelBackend, (application) => application.withEcho("pusher")],
]) {
  test(`${name}: the whole story`, () => tell(Backend, enterBy));
}

test("Laravel's redis driver, its own endpoint asked for every channel: the whole story but encrypted channels", async (t) => {
  const redis = await Redis.start();
  t.after(() => redis.close());
  const port = await freePort();
  const backend = LaravelBackend.with(port, { BROADCAST_DRIVER: "redis", REDIS_HOST: "127.0.0.1", REDIS_PORT: String(redis.port) });
  const config = `
[redis]
host = "127.0.0.1"
port = ${redis.port}

[pusher]
auth_url = "http://127.0.0.1:${port}/broadcasting/auth"
`;
  // The driver signs nothing, so pages ask the server, and it asks Laravel.
  const enterBy = (application) => {
    application.where.auth = `${application.server.http}/broadcasting`;
    return application.withEcho("pusher");
  };
  await tell(backend, enterBy, { config, encrypted: false });
});

describe("in Chromium", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  for (const [name, options, transport] of [
    ["over WebSocket", { enabledTransports: ["ws"] }, "ws"],
    ["with WebSockets disabled, over xhr_streaming", { disabledTransports: ["ws", "wss", "xhr_polling"] }, "xhr_streaming"],
    ["with WebSockets disabled, over xhr_polling", { disabledTransports: ["ws", "wss", "xhr_streaming"] }, "xhr_polling"],
  ]) {
    test(`pusher-js ${name}: the whole story`, async () => {
      await tell(NpmBackend, (application) => {
        const enter = application.inBrowser(browser, options);
        return async (who) => {
          const person = await enter(who);
          const used = await person.transport();
          if (used !== transport) throw new Error(`connected by ${used}`);
          return person;
        };
      });
    });
  }
});
