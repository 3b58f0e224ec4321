// The story, told by every client and every backend's library that there is.
import { after, before, describe } from "node:test";

import { test } from "../server.mjs";
import { Application, launch } from "./application.mjs";
import { LaravelBackend, NpmBackend, PyBackend } from "./backends.mjs";
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

describe("in Chromium", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  for (const [name, options, transport] of [
    ["over WebSocket", { enabledTransports: ["ws"] }, "ws"],
  ]) {
    test(`pusher-js ${name}: the whole story`, async (t) => {
      const context = await browser.newContext();
      t.after(() => context.close());
      await tell(NpmBackend, (application) => {
        const enter = application.inBrowser(context, options);
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
