// The application of the story: its own endpoints and pages, what webhooks tell it, and the server that it uses.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

import Echo from "laravel-echo";
import PusherJs from "pusher-js";

import { launch, open } from "../browser/chromium.mjs";
import { Server } from "../server.mjs";
import { EchoPerson, Person } from "./person.mjs";

const MODULES = path.resolve(import.meta.dirname, "../node_modules");
/** What a page loads. */
const FILES = {
  "/": ["text/html", null],
  "/person.mjs": ["text/javascript", path.join(import.meta.dirname, "person.mjs")],
  "/pusher.js": ["text/javascript", path.join(MODULES, "pusher-js/dist/web/pusher-with-encryption.js")],
};
const PAGE = '<!doctype html><meta charset="utf-8"><title>Application</title><script src="/pusher.js"></script>';

export class Application {
  /** `Backend` is one of `backends.mjs`; `more` is added to the server's configuration. */
  static async start(Backend, more = "") {
    const application = new Application();
    Object.assign(application, { hooks: [], contexts: [] });
    application.http = http.createServer((request, response) => application.answer(request, response));
    application.http.listen(0, "127.0.0.1");
    await once(application.http, "listening");
    application.url = `http://127.0.0.1:${application.http.address().port}`;
    application.server = await Server.start({ config: `${more}
[[pusher_webhooks]]
url = "${application.url}/hook"
batch = 10
` });
    const [host, port] = application.server.address.split(":");
    application.where = { key: "key", host, port: Number(port), auth: `${application.url}/broadcasting` };
    application.backend = await Backend.start({ host, port: Number(port) });
    return application;
  }

  async answer(request, response) {
    let body = "";
    for await (const part of request) body += part;
    try {
      const [status, type, text] = await this.route(request, body);
      response.writeHead(status, { "content-type": type }).end(text);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }

  async route({ url, headers }, body) {
    if (url === "/hook") {
      this.hooks.push({ headers, body });
      return [200, "text/plain", ""];
    }
    if (url in FILES) {
      const [type, file] = FILES[url];
      return [200, type, file ? await readFile(file) : PAGE];
    }
    const { socket_id: socket, channel_name: channel, ...who } = Object.fromEntries(new URLSearchParams(body));
    const signed = url === "/broadcasting/auth" ? channel !== "private-forbidden" && (await this.backend.authorize(socket, channel, who))
      : url === "/broadcasting/user-auth" && (await this.backend.authenticate(socket, who));
    return signed ? [200, "application/json", JSON.stringify(signed)] : [403, "text/plain", "Forbidden"];
  }

  /** Everything that webhooks have told, read by the backend's own library. */
  async told() {
    const events = [];
    for (const { headers, body } of this.hooks) events.push(...(await this.backend.webhook(headers, body)));
    return events;
  }

  /** Somebody with pusher-js in this process. */
  inNode(options = { enabledTransports: ["ws"] }) {
    return (who) => new Person(PusherJs, { ...this.where, options }, who);
  }

  /** Somebody with Laravel Echo. */
  withEcho(broadcaster) {
    const options = { enabledTransports: ["ws", "wss"] };
    return (who) => new EchoPerson(PusherJs, { ...this.where, options, Echo, broadcaster }, who);
  }

  /**
   * Somebody in a browser, where every method happens. Each has a profile of its own: of one profile a browser opens six
   * connections to a server, and each of these people may need two.
   */
  inBrowser(browser, options) {
    return async (who) => {
      const context = await browser.newContext();
      this.contexts.push(context);
      const page = await open(context, `${this.url}/`);
      await page.evaluate(async ([where, who]) => {
        const { Person } = await import("/person.mjs");
        window.person = new Person(window.Pusher, where, who);
      }, [{ ...this.where, options }, who]);
      const act = (name) => (...given) => page.evaluate(([name, given]) => window.person[name](...given), [name, given]);
      return new Proxy({ page }, { get: (own, name) => own[name] ?? (name === "then" ? undefined : act(name)) });
    };
  }

  async close() {
    for (const context of this.contexts) await context.close();
    await this.backend?.close();
    await this.server?.close();
    this.http.close();
    this.http.closeAllConnections();
  }
}

export { launch };
