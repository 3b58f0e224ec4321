// laravel-echo with its pusher and reverb connectors, unmodified; the backend sends what Laravel sends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import Echo from "laravel-echo";
import Pusher from "pusher-js";

import { Site, next, record, until } from "./people.mjs";

let site;
before(async () => (site = await Site.start()));
after(() => site.close());

/** What a page's `echo.js` sets up. */
function echo(broadcaster, user, sign = (signed) => signed) {
  const backend = site.backend;
  const client = new Echo({
    broadcaster, Pusher, key: "key", cluster: broadcaster === "reverb" ? undefined : "mt1",
    wsHost: site.host, wsPort: site.port, forceTLS: false, enabledTransports: ["ws", "wss"],
    // What `/broadcasting/auth` of the app answers.
    authorizer: ({ name }) => ({
      authorize: (socketId, done) => {
        const data = name.startsWith("presence-") ? { user_id: user, user_info: { id: user, name: `User ${user}` } } : undefined;
        done(null, sign(backend.authorizeChannel(socketId, name, data)));
      },
    }),
  });
  site.clients.push(client);
  return client;
}

/** Waits until Echo's channel stands. */
const stands = (channel) => until(channel.name, () => channel.subscription.subscribed);

for (const broadcaster of ["pusher", "reverb"]) {
  test(`${broadcaster}: public, private and presence channels, whispers, notifications, toOthers`, async () => {
    const [ann, bob] = [echo(broadcaster, "1"), echo(broadcaster, "2")];
    const name = (what) => `${broadcaster}.${what}`;
    const heard = [];
    const orders = ann.channel(name("orders")).listen("OrderShipped", (event) => heard.push(["orders", event]));
    const user = ann.private(name("App.Models.User.1"))
      .listen(".general-notification", (event) => heard.push(["named", event]))
      .notification((event) => heard.push(["notification", event]));
    await Promise.all([stands(orders), stands(user)]);
    await site.backend.trigger(name("orders"), "App\\Events\\OrderShipped", { id: 7 }, { socket_id: ann.socketId() });
    await site.backend.trigger(name("orders"), "App\\Events\\OrderShipped", { id: 8 });
    await site.backend.trigger(`private-${name("App.Models.User.1")}`, "general-notification", { title: "Hello" });
    await site.backend.trigger(
      `private-${name("App.Models.User.1")}`, "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated", { id: "n", type: "t" },
    );
    await until("all of them", () => heard.length === 3);
    assert.deepEqual(heard, [["orders", { id: 8 }], ["named", { title: "Hello" }], ["notification", { id: "n", type: "t" }]]);

    const room = [];
    const here = ann.join(name("clinic")).here((users) => room.push(["here", users.map((one) => one.name)]))
      .joining((one) => room.push(["joining", one.name])).leaving((one) => room.push(["leaving", one.name]))
      .listenForWhisper("typing", (event) => room.push(["typing", event]));
    await stands(here);
    const bobs = bob.join(name("clinic"));
    await stands(bobs);
    bobs.whisper("typing", { name: "Bob" });
    await until("the whisper", () => room.length === 3);
    bob.leave(name("clinic"));
    await until("the leaving", () => room.length === 4);
    assert.deepEqual(room, [["here", ["User 1"]], ["joining", "User 2"], ["typing", { name: "Bob" }], ["leaving", "User 2"]]);
  });
}

test("a channel that the server refuses calls its error handler", async () => {
  const eve = echo("pusher", "3", () => ({ auth: "key:forged" }));
  const error = await new Promise((found) => eve.private("nothing").error(found));
  assert.deepEqual([error.type, error.status], ["AuthError", 401]);
});

test("both prefixes of the same name are two channels, as Laravel makes them", async () => {
  const ann = echo("pusher", "5");
  // A page that writes the prefix itself gets it twice, and so does its backend.
  const channel = ann.private("private-notifications.5");
  await stands(channel);
  assert.equal(channel.subscription.name, "private-private-notifications.5");
  const heard = record(channel.subscription, "general-notification");
  const came = next(channel.subscription, "general-notification");
  await site.backend.trigger("private-private-notifications.5", "general-notification", { id: 1 });
  await came;
  assert.deepEqual(heard, [["general-notification", { id: 1 }]]);
});
