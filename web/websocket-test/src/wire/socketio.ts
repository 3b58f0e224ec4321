// Engine.IO 4 and Socket.IO 5, as far as a page over a WebSocket speaks them: text packets of one namespace.

/** What the server says. */
export type Packet =
  | { kind: "open"; sid: string; pingInterval: number; pingTimeout: number }
  | { kind: "ping" }
  | { kind: "connected"; sid: string; pid?: string }
  | { kind: "refused"; message: string }
  | { kind: "event"; name: string; args: unknown[] }
  | { kind: "answer"; id: number; args: unknown[] }
  | { kind: "disconnected" }
  | { kind: "other"; text: string };

/** Reads a frame. What is none of these is `other`, and never an error: a server may say more than a page knows. */
export function decode(text: string): Packet {
  const other: Packet = { kind: "other", text };
  switch (text[0]) {
    case "0": {
      const open = object(text.slice(1));
      if (typeof open?.["sid"] !== "string") return other;
      const number = (name: string, otherwise: number) => (typeof open[name] === "number" ? open[name] : otherwise);
      return { kind: "open", sid: open["sid"], pingInterval: number("pingInterval", 25_000), pingTimeout: number("pingTimeout", 20_000) };
    }
    case "1":
      return { kind: "disconnected" };
    case "2":
      return text.length === 1 ? { kind: "ping" } : other;
    case "4":
      return message(text.slice(1)) ?? other;
    default:
      return other;
  }
}

function message(text: string): Packet | undefined {
  // A namespace other than the main one stands before the rest, and ends with a comma.
  const [, kind, id, rest] = text.match(/^(\d)(?:\/[^,]*,?)?(\d+)?(.*)$/s) ?? [];
  switch (kind) {
    case "0": {
      const body = object(rest ?? "");
      if (typeof body?.["sid"] !== "string") return undefined;
      const pid = body["pid"];
      return { kind: "connected", sid: body["sid"], ...(typeof pid === "string" ? { pid } : {}) };
    }
    case "1":
      return { kind: "disconnected" };
    case "2": {
      const [name, ...args] = list(rest ?? "") ?? [];
      return typeof name === "string" ? { kind: "event", name, args } : undefined;
    }
    case "3": {
      const args = list(rest ?? "");
      return id !== undefined && args ? { kind: "answer", id: Number(id), args } : undefined;
    }
    case "4":
      return { kind: "refused", message: String(object(rest ?? "")?.["message"] ?? "refused") };
    default:
      return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function object(text: string): Record<string, unknown> | undefined {
  const value = parsed(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function list(text: string): unknown[] | undefined {
  const value = parsed(text);
  return Array.isArray(value) ? value : undefined;
}

/** Asks to be let in. */
export const connect = (auth?: object): string => `40${auth ? JSON.stringify(auth) : ""}`;

/** Says an event; with an id it wants an answer. */
export const event = (name: string, args: unknown[], id?: number): string =>
  `42${id ?? ""}${JSON.stringify([name, ...args])}`;

/** I am here. */
export const PONG = "3";

/** An event's arguments without the place in the log that the server put behind them, and that place. */
export function placed(args: unknown[]): { args: unknown[]; offset?: string } {
  const last = args.at(-1);
  return typeof last === "string" ? { args: args.slice(0, -1), offset: last } : { args };
}
