// Socket.IO: a marketplace's dashboard in small. It says who it is, enters rooms, hears four kinds of events, and
// goes on where it was after a cut.
import { request, socket, tell, token } from "../address.js";
import { Log, onPress, show, valueOf } from "../dom.js";
import type { Tally } from "../tally.js";
import { connect, decode, event, placed, PONG, type Packet } from "../wire/socketio.js";

/** Milliseconds between two attempts, and between two looks at whether the server answers at all. */
const AGAIN = 2_000;

export class Dashboard {
  #socket: WebSocket | undefined;
  #wished = false;
  #timer = 0;
  #silence = 0;
  #pid: string | undefined;
  #offset: string | undefined;
  #asked = 0;

  constructor(readonly tally: Tally, readonly log: Log) {}

  /** Connects, and stays so until `close`. */
  open(): void {
    if (this.#wished) return;
    this.#wished = true;
    this.#connect();
  }

  close(): void {
    this.#wished = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#pid = this.#offset = undefined;
    this.#socket?.close();
    show("sio-state", "none", "Not connected");
  }

  /** Ends the connection without a word, as an accident does. */
  cut(): void {
    if (!this.#socket) throw new Error("connect first");
    this.log.note("the connection was cut");
    this.#socket.close();
  }

  say(name: string, ...args: unknown[]): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error("connect first");
    this.log.sent([name, ...args]);
    this.tally.countSent();
    this.#socket.send(event(name, args, this.#asked++));
  }

  #connect(): void {
    const mine = new WebSocket(`${socket("socket.io/")}?EIO=4&transport=websocket`);
    this.#socket = mine;
    mine.addEventListener("message", (message) => {
      this.tally.countReceived();
      this.#hear(mine, decode(String(message.data)));
    });
    mine.addEventListener("close", () => this.#lost(mine));
  }

  #hear(mine: WebSocket, packet: Packet): void {
    switch (packet.kind) {
      case "open":
        this.#listen(mine, packet.pingInterval + packet.pingTimeout);
        mine.send(connect(this.#auth()));
        break;
      case "ping":
        mine.send(PONG);
        break;
      case "connected":
        this.log.note(this.#pid === undefined ? "connected" : packet.pid === this.#pid ? "back, and nothing was missed" : "back as somebody new: load the data");
        this.#pid = packet.pid;
        show("sio-state", "good", "Live");
        break;
      case "event": {
        const { args, offset } = this.#pid === undefined ? { args: packet.args } : placed(packet.args);
        if (offset !== undefined) this.#offset = offset;
        this.log.heard([packet.name, ...args]);
        break;
      }
      case "answer":
        this.log.heard({ answer: packet.args[0] });
        break;
      case "refused":
        this.log.wrong(new Error(packet.message));
        this.close();
        break;
      case "disconnected":
        this.log.note("the server ended it");
        this.close();
        break;
      case "other":
        break;
    }
    if (packet.kind === "ping") this.#listen(mine);
  }

  /** Who comes back, and where it was. */
  #auth(): object | undefined {
    const typed = token();
    const who = typed ? { token: typed } : {};
    return this.#pid === undefined ? (typed ? who : undefined) : { ...who, pid: this.#pid, offset: this.#offset };
  }

  #longest = 45_000;

  /** A server that is silent for longer than it says is not there any more. */
  #listen(mine: WebSocket, longest = this.#longest): void {
    this.#longest = longest;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => mine.close(), longest);
  }

  #lost(mine: WebSocket): void {
    if (this.#socket !== mine || !this.#wished) return;
    clearTimeout(this.#silence);
    void this.#look();
    this.#timer = setTimeout(() => this.#connect(), AGAIN * (0.5 + Math.random()));
  }

  /** No socket: does the server answer requests? Then a dashboard would poll. */
  async #look(): Promise<void> {
    const answers = await fetch(request("api/socket"), { cache: "no-store" }).then((answer) => answer.status < 500, () => false);
    if (this.#wished && this.#socket?.readyState !== WebSocket.OPEN) {
      show("sio-state", answers ? "waiting" : "bad", answers ? "Polling" : "Offline");
    }
  }
}

/** What a backend tells of each kind, for a person and in a shape that dashboards read. */
export function example(kind: string): { event: { type: string; action: string }; data: object } {
  const id = `${kind}-1`;
  switch (kind) {
    case "booking":
      return { event: { type: kind, action: "accepted" }, data: { id, status: "CONFIRMED" } };
    case "payment":
      return { event: { type: kind, action: "released" }, data: { id, status: "RELEASED", amount: 100 } };
    case "payout":
      return { event: { type: kind, action: "completed" }, data: { id, status: "COMPLETED", amount: 90 } };
    default:
      return { event: { type: "notification", action: "info" }, data: { title: "Hello", message: "From the test page" } };
  }
}

export function socketio(tally: Tally): void {
  const log = new Log("sio-log");
  const dashboard = new Dashboard(tally, log);
  onPress("sio-connect", () => dashboard.open(), log.wrong);
  onPress("sio-disconnect", () => dashboard.close(), log.wrong);
  onPress("sio-cut", () => dashboard.cut(), log.wrong);
  onPress("sio-authenticate", () => {
    dashboard.say("authenticate", { token: token() ?? "test_token", userId: valueOf("sio-user"), role: valueOf("sio-role") });
  }, log.wrong);
  onPress("sio-join", () => dashboard.say("join_room", valueOf("sio-room")), log.wrong);
  onPress("sio-leave", () => dashboard.say("leave_room", valueOf("sio-room")), log.wrong);
  for (const kind of ["booking", "payment", "payout", "notification"]) {
    onPress(`sio-${kind}`, async () => {
      const said = { ...example(kind), targetUsers: [valueOf("sio-user")] };
      log.note(`the backend tells: ${JSON.stringify(said)}`);
      await tell("api/socket", said);
    }, log.wrong);
  }
}
