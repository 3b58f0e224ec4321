// Somebody at a page: a Pusher client with everything it hears. It runs in Node and, served as it is, in a browser.

const WAIT = 10_000;

/** What a person's page connects with, beside where the server is. */
const pageOptions = ({ host, port, auth, options = {} }, who) => {
  // The endpoint knows by the header who is logged in, by the fields what is shown of it.
  const login = { transport: "ajax", params: who, headers: { Authorization: `Bearer ${who.user}` } };
  return {
    cluster: "mt1", wsHost: host, wsPort: port, httpHost: host, httpPort: port, forceTLS: false, enableStats: false,
    channelAuthorization: { endpoint: `${auth}/auth`, ...login },
    userAuthentication: { endpoint: `${auth}/user-auth`, ...login },
    ...options,
  };
};

export class Person {
  /** `where` is the server and the application's own endpoints; `who` the fields that its login stands for. */
  constructor(Pusher, where, who = {}) {
    this.heard = [];
    this.errors = [];
    this.setUp(Pusher, where, who);
    this.pusher.connection.bind("error", (error) => this.errors.push(error?.data?.code ?? error?.error?.data?.code ?? String(error?.type)));
    for (const name of ["online", "offline"]) {
      this.pusher.user.watchlist.bind(name, (event) => this.heard.push(["watchlist", name, event.user_ids]));
    }
  }

  setUp(Pusher, where, who) {
    this.pusher = new Pusher(where.key, pageOptions(where, who));
  }

  /** The channel, with everything that it hears kept from its first moment. */
  channel(name) {
    const channel = this.pusher.channel(name);
    return channel ?? this.listen(name, this.pusher.subscribe(name));
  }

  listen(name, channel) {
    channel.bind_global((event, data) => this.heard.push([name, event, plain(data)]));
    return channel;
  }

  /** Subscribes; gives who is here, or the status with which it was refused. */
  async subscribe(name) {
    const channel = this.channel(name);
    const is = (event) => (heard) => heard[0] === name && heard[1] === event;
    await this.until(() => channel.subscribed || this.heard.some(is("pusher:subscription_error")), name);
    if (!channel.subscribed) return { refused: this.heard.find(is("pusher:subscription_error"))[2].status };
    return channel.members ? { count: channel.members.count, me: channel.members.me, members: channel.members.members } : {};
  }

  unsubscribe(name) {
    this.pusher.unsubscribe(name);
  }

  say(name, event, data) {
    this.channel(name).trigger(event, data);
  }

  /** Signs in; gives the id, once the user's own channel stands. */
  async signIn() {
    this.pusher.signin();
    await this.pusher.user.signinDonePromise;
    const own = this.pusher.user;
    own.bind_global((event, data) => this.heard.push(["user", event, plain(data)]));
    await this.until(() => own.serverToUserChannel?.subscribed, "the user's own channel");
    return own.user_data.id;
  }

  async socket() {
    await this.until(() => this.pusher.connection.state === "connected", "a connection");
    return this.pusher.connection.socket_id;
  }

  /** The name of the transport that the connection runs over. */
  async transport() {
    await this.socket();
    return this.pusher.connection.connection.transport.name;
  }

  state() {
    return this.pusher.connection.state;
  }

  told() {
    return this.heard;
  }

  failures() {
    return this.errors;
  }

  leave() {
    this.pusher.disconnect();
  }

  async until(holds, what) {
    const end = Date.now() + WAIT;
    while (!holds()) {
      if (Date.now() > end) throw new Error(`never came: ${what}; heard ${JSON.stringify(this.heard)} ${JSON.stringify(this.errors)}`);
      await new Promise((turn) => setTimeout(turn, 10));
    }
  }
}

/** The same person at a page with Laravel Echo. */
export class EchoPerson extends Person {
  setUp(Pusher, { Echo, broadcaster, ...where }, who) {
    this.echo = new Echo({ broadcaster, Pusher, key: where.key, ...pageOptions(where, who) });
    this.pusher = this.echo.connector.pusher;
    this.joined = new Map();
  }

  channel(name) {
    if (this.joined.has(name)) return this.joined.get(name).subscription;
    const ways = [["private-encrypted-", "encryptedPrivate"], ["private-", "private"], ["presence-", "join"], ["", "channel"]];
    const [prefix, way] = ways.find(([prefix]) => name.startsWith(prefix));
    const joined = this.echo[way](name.slice(prefix.length));
    this.joined.set(name, joined);
    // What an application hears through Echo's own methods, in Echo's words.
    if (way === "join") {
      joined.here((all) => this.heard.push([name, "here", all])).joining((one) => this.heard.push([name, "joining", one]))
        .leaving((one) => this.heard.push([name, "leaving", one]));
    }
    joined.error?.((error) => this.heard.push([name, "error", error.status]));
    return this.listen(name, joined.subscription);
  }

  unsubscribe(name) {
    this.echo.leaveChannel(name);
    this.joined.delete(name);
  }

  say(name, event, data) {
    this.channel(name);
    this.joined.get(name).whisper(event.replace(/^client-/, ""), data);
  }

  async signIn() {
    this.echo.connector.signin?.();
    return super.signIn();
  }
}

/** What can be sent from a browser to the test: `members` and the like are objects with methods. */
function plain(data) {
  return data === undefined ? null : JSON.parse(JSON.stringify(data));
}
