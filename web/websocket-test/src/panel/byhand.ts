// AppointEase by hand: single messages, also wrong ones, and what comes back.
import { isDev, socket } from "../address.js";
import { Log, onPress, show, showLine, valueOf } from "../dom.js";
import { invented, named } from "../identity.js";
import { Line, type Message } from "../line.js";
import type { Tally } from "../tally.js";

/** Characters of a message that is large and still allowed. */
const LARGE = 10_240;
/** Connections that are opened and ended one after the other. */
const QUICK = 5;

const WRONG: (Message | string)[] = ["invalid json", {}, { type: "no_such_thing" }, { data: "no type" }];

export function byHand(tally: Tally): void {
  const log = new Log("hand-log");
  let line: Line | undefined;

  const address = () => {
    const email = valueOf("hand-email");
    const typed = valueOf("identities");
    const [first] = isDev() && !typed ? invented("by-hand") : named(typed);
    const query = email && isDev() ? new URLSearchParams({ email }).toString() : (first?.query ?? "");
    return socket("appointease") + (query ? `?${query}` : "");
  };
  const connect = () => {
    line?.close();
    line = new Line(address(), tally, {
      said: log.sent,
      heard: log.heard,
      state: (state) => showLine("hand-state", state),
    });
    line.open();
  };
  const connected = () => {
    if (!line?.isOpen) throw new Error("connect first");
    return line;
  };
  const slot = () => ({
    date: valueOf("hand-date"),
    time: valueOf("hand-time"),
    employeeId: Number(valueOf("hand-employee")),
  });
  const sends = (id: string, message: () => Message) => onPress(id, () => connected().say(message()), log.wrong);

  onPress("hand-connect", connect, log.wrong);
  onPress("hand-disconnect", () => {
    line?.close();
    line = undefined;
    show("hand-state", "none", "Not connected");
  }, log.wrong);
  sends("hand-ping", () => ({ type: "ping", timestamp: Date.now() }));
  sends("hand-lock", () => ({ type: "lock_slot", ...slot() }));
  sends("hand-unlock", () => ({ type: "unlock_slot", ...slot(), completed: false }));
  sends("hand-select", () => ({ type: "selecting_slot", ...slot() }));
  sends("hand-watch", () => ({ type: "watch_slot", ...slot() }));
  sends("hand-check", () => ({ type: "check_availability", date: slot().date, employeeId: slot().employeeId }));
  sends("hand-subscribe", () => ({ type: "subscribe", ...(valueOf("hand-email") ? { email: valueOf("hand-email") } : {}) }));
  sends("hand-debug", () => ({ type: "get_debug" }));
  sends("hand-past", () => ({ type: "lock_slot", ...slot(), date: "2020-01-01" }));
  sends("hand-large", () => ({ type: "ping", payload: "x".repeat(LARGE) }));
  onPress("hand-wrong", () => WRONG.forEach((message) => connected().say(message)), log.wrong);
  onPress("hand-quick", () => quickly(tally, address(), log), log.wrong);
}

async function quickly(tally: Tally, address: string, log: Log): Promise<void> {
  for (let count = 0; count < QUICK; count++) {
    const line = new Line(address, tally);
    const greeting = line.next("connection");
    line.open();
    await greeting;
    line.close();
  }
  log.note(`${QUICK} connections were greeted and ended`);
}
