// Pusher: channels, who is there, and events from one client to another.
import { isDev, key, request, socket, tell, token } from "../address.js";
import { Log, onPress, show, valueOf } from "../dom.js";
import type { Tally } from "../tally.js";
import * as wire from "../wire/pusher.js";

const AGAIN = 2_000;

interface Proof {
  auth?: string;
  channel_data?: string;
}

export class Client {
  #socket: WebSocket | undefined;
  #id = "";
  #wished = false;
  #timer = 0;
  #channels = new Set<string>();
  #members = new Map<string, Set<string>>();

  constructor(readonly tally: Tally, readonly log: Log) {}

  open(): void {
    if (this.#wished) return;
    this.#wished = true;
    this.#connect();
  }

  close(): void {
    this.#wished = false;
    clearTimeout(this.#timer);
    this.#channels.clear();
    this.#socket?.close();
    show("pusher-state", "none", "Not connected");
    show("pusher-members", "none", "Nobody");
  }

  /** Subscribes; whoever comes back is subscribed again. */
  async subscribe(channel: string): Promise<void> {
    this.#connected();
    this.#channels.add(channel);
    await this.#ask(channel);
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#members.delete(channel);
    this.#showMembers();
    this.#send(wire.unsubscribe(channel));
  }

  say(channel: string, text: string): void {
    this.#send(wire.say(channel, "client-message", { text }));
  }

  #connected(): WebSocket {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error("connect first");
    return this.#socket;
  }

  #send(frame: string): void {
    this.#connected().send(frame);
    this.tally.countSent();
    this.log.sent(frame);
  }

  async #ask(channel: string): Promise<void> {
    const proof = wire.needsProof(channel) ? await this.#prove(channel) : {};
    this.#send(wire.subscribe(channel, proof));
  }

  /** Has somebody vouch for this client: the server itself, by its rules of access. */
  async #prove(channel: string): Promise<Proof> {
    const bearer = token();
    const answer = await fetch(request("broadcasting/auth"), {
      method: "POST",
      headers: bearer ? { authorization: `Bearer ${bearer}` } : {},
      body: new URLSearchParams({ socket_id: this.#id, channel_name: channel }),
    });
    const said = (await answer.json().catch(() => ({}))) as Proof & { detail?: string; message?: string };
    if (!answer.ok) throw new Error(`${channel} was refused: ${said.detail ?? said.message ?? answer.status}`);
    return said;
  }

  #connect(): void {
    show("pusher-state", "waiting", "Connecting");
    const mine = new WebSocket(`${socket(`app/${encodeURIComponent(key())}`)}?protocol=7&client=deskbell-test&version=1`);
    this.#socket = mine;
    mine.addEventListener("message", (message) => {
      this.tally.countReceived();
      const frame = wire.decode(String(message.data));
      if (frame) this.#hear(mine, frame);
    });
    mine.addEventListener("close", (event) => {
      if (this.#socket !== mine || !this.#wished) return;
      // These codes say that another attempt is in vain.
      const final = event.code >= 4000 && event.code < 4100;
      show("pusher-state", "bad", final ? `Refused (${event.code})` : "Not connected; trying again");
      if (!final) this.#timer = setTimeout(() => this.#connect(), AGAIN * (0.5 + Math.random()));
    });
  }

  #hear(mine: WebSocket, frame: wire.Frame): void {
    if (frame.event === "pusher:ping") return mine.send(wire.PONG);
    this.log.heard(frame);
    const data = (frame.data ?? {}) as Record<string, unknown>;
    switch (frame.event) {
      case "pusher:connection_established":
        this.#id = String(data["socket_id"]);
        show("pusher-state", "good", `Connected as ${this.#id}`);
        for (const channel of this.#channels) void this.#ask(channel).catch(this.log.wrong);
        break;
      case "pusher_internal:subscription_succeeded":
        if (frame.channel?.startsWith("presence-")) this.#members.set(frame.channel, new Set(wire.members(frame.data)));
        break;
      case "pusher_internal:member_added":
        this.#members.get(frame.channel ?? "")?.add(String(data["user_id"]));
        break;
      case "pusher_internal:member_removed":
        this.#members.get(frame.channel ?? "")?.delete(String(data["user_id"]));
        break;
    }
    this.#showMembers();
  }

  #showMembers(): void {
    const rooms = [...this.#members].map(([channel, ids]) => `${channel}: ${[...ids].join(", ") || "nobody"}`);
    show("pusher-members", rooms.length ? "good" : "none", rooms.join("; ") || "Nobody");
  }
}

export function pusher(tally: Tally): void {
  const log = new Log("pusher-log");
  const client = new Client(tally, log);
  const channel = () => valueOf("pusher-channel");
  onPress("pusher-connect", () => client.open(), log.wrong);
  onPress("pusher-disconnect", () => client.close(), log.wrong);
  onPress("pusher-subscribe", () => client.subscribe(channel()), log.wrong);
  onPress("pusher-unsubscribe", () => client.unsubscribe(channel()), log.wrong);
  onPress("pusher-say", () => client.say(channel(), valueOf("pusher-text")), log.wrong);
  onPress("pusher-publish", async () => {
    log.note("the backend publishes");
    await tell("v1/publish", { channel: channel(), name: "greeting", data: { text: valueOf("pusher-text") } });
  }, log.wrong);
  if (isDev()) log.note("a development server vouches for nobody: private channels need a token, too");
}
