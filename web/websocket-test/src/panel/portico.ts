// Portico: chat, notifications, who the user is, and the applications that are not handed in yet.
import { socket } from "../address.js";
import { byId, Log, onPress, show, showLine, valueOf } from "../dom.js";
import { Line, type Message } from "../line.js";
import type { Tally } from "../tally.js";

/** How often the page shows that it is there. */
const HEARTBEAT = 30_000;

/** An id that nobody guesses, as a site issues one: it opens its own room. */
export function newSession(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a page answers by itself. */
export function answerTo(message: Message): Message | undefined {
  const timestamp = new Date().toISOString();
  if (message.type === "server_ping") return { type: "pong", timestamp };
  if (message.type === "room_ping") return { type: "room_ping_response", roomId: message["roomId"], timestamp };
  return undefined;
}

export function portico(tally: Tally): void {
  const log = new Log("portico-log");
  byId<HTMLInputElement>("portico-session").value = newSession();
  let line: Line | undefined;

  const say = (message: Message) => {
    if (!line?.isOpen) throw new Error("connect first");
    line.say({ ...message, timestamp: new Date().toISOString() });
  };
  const hear = (message: unknown) => {
    log.heard(message);
    const said = message as Message;
    const answer = answerTo(said);
    if (answer) line?.say(answer);
    if (said.type === "reconnect_required") line?.cut();
    if (said.type === "partial_applications_response") list(said["data"]);
  };
  onPress("portico-connect", () => {
    line?.close();
    line = new Line(socket("wss"), tally, {
      said: log.sent,
      heard: hear,
      state: (state) => {
        showLine("portico-state", state);
        if (state === "open" && valueOf("portico-session")) say({ type: "update_session", sessionId: valueOf("portico-session") });
      },
    });
    line.open();
  }, log.wrong);
  onPress("portico-disconnect", () => {
    line?.close();
    line = undefined;
    show("portico-state", "none", "Not connected");
  }, log.wrong);
  setInterval(() => line?.isOpen && line.say({ type: "ping", timestamp: new Date().toISOString() }), HEARTBEAT);

  const text = () => valueOf("portico-text");
  onPress("portico-chat", () => say({ type: "chat", message: text() }), log.wrong);
  onPress("portico-notify", () => say({ type: "notification", message: text() }), log.wrong);
  onPress("portico-tabs", () => say({ type: "session_message", message: text() }), log.wrong);
  onPress("portico-user-set", () => say({ type: "update_user_info", userId: Number(valueOf("portico-user")) }), log.wrong);
  onPress("portico-applications", () => say({ type: "get_partial_applications" }), log.wrong);
  onPress("portico-enter", () => say({ type: "subscribe", entityType: "building", entityId: Number(valueOf("portico-building")) }), log.wrong);
  onPress("portico-leave", () => say({ type: "unsubscribe", entityType: "building", entityId: Number(valueOf("portico-building")) }), log.wrong);
}

function list(data: unknown): void {
  const { error, message, count } = (data ?? {}) as Record<string, unknown>;
  show("portico-found", error ? "bad" : "good", error ? String(message) : `${String(count)} applications`);
}
