// The Pusher protocol, version 7, as far as a page speaks it. Its data is JSON inside of a text inside of JSON.

/** What the server says. */
export interface Frame {
  event: string;
  channel?: string;
  data: unknown;
  userId?: string;
}

/** Reads a frame; nothing, where it is none. */
export function decode(text: string): Frame | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== "object" || read === null) return undefined;
  const { event, channel, data, user_id: userId } = read as Record<string, unknown>;
  if (typeof event !== "string") return undefined;
  return {
    event,
    data: inner(data),
    ...(typeof channel === "string" ? { channel } : {}),
    ...(typeof userId === "string" ? { userId } : {}),
  };
}

/** Data as it is meant: most of it is a text of JSON. */
function inner(data: unknown): unknown {
  if (typeof data !== "string") return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

const frame = (event: string, data: unknown, channel?: string): string =>
  JSON.stringify(channel === undefined ? { event, data } : { event, channel, data });

export const subscribe = (channel: string, proof: { auth?: string; channel_data?: string } = {}): string =>
  frame("pusher:subscribe", { channel, ...proof });

export const unsubscribe = (channel: string): string => frame("pusher:unsubscribe", { channel });

export const say = (channel: string, event: string, data: unknown): string => frame(event, data, channel);

export const PING = frame("pusher:ping", {});
export const PONG = frame("pusher:pong", {});

/** Does somebody have to vouch for whoever subscribes? */
export const needsProof = (channel: string): boolean => /^(private|presence)-/.test(channel);

/** The ids of those who are there, from what a subscription to a presence channel brings. */
export function members(data: unknown): string[] {
  const presence = (data as { presence?: { ids?: unknown } } | null)?.presence;
  return Array.isArray(presence?.ids) ? presence.ids.map(String) : [];
}
