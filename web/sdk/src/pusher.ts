// A plugin for pusher-js. Its server tells every client that asks for it where it stands in the log; the
// plugin keeps that place, and shows it when it comes back after a cut: nothing is lost, nothing comes twice.

/** A frame as the transport hands it on. */
interface Message {
  data: string;
}

/** What the plugin needs of a `Pusher`: four public parts, and the transport behind its connection. */
export interface PusherClient {
  connection: {
    socket_id: string;
    connection: { transport: { onMessage(message: Message): void } } | null;
    bind(event: "state_change", act: (states: { current: string }) => void): unknown;
  };
  channel(name: string): unknown;
  send_event(event: string, data: any, channel?: string): boolean;
}

/** Call it right behind `new Pusher(…)`, or with `echo.connector.pusher` behind `new Echo(…)`. */
export function carryCursor(pusher: PusherClient): void {
  /** Where the channels stand that are not subscribed at the moment. */
  const stands = new Map<string, string>();
  /** The channels that are; they all stand `here`. */
  const subscribed = new Set<string>();
  let here = "";
  let socket: string | undefined;
  let former: string | undefined;
  /** What has come whole and pusher-js has not been given yet. */
  const owed: Message[] = [];

  const send = pusher.send_event.bind(pusher);
  pusher.send_event = (event, data, channel) => {
    if (event === "pusher:subscribe") data = { ...data, since: stands.get(data.channel) ?? "", former };
    // Whoever leaves a channel begins anew when it comes back to it.
    if (event === "pusher:unsubscribe") [stands, subscribed].forEach((list) => list.delete(data.channel));
    return send(event, data, channel);
  };

  /** A frame is looked at before pusher-js gives it to anybody, so that a listener that throws changes nothing. */
  const note = (frame: { event: string; channel: string; cursor?: string }): void => {
    if (frame.cursor === undefined) return;
    here = frame.cursor;
    if (frame.event === "pusher_internal:subscription_succeeded") subscribed.add(frame.channel);
  };

  pusher.connection.bind("state_change", ({ current }) => {
    for (const name of subscribed) stands.set(name, here);
    subscribed.clear();
    const transport = pusher.connection.connection?.transport;
    if (current !== "connected" || !transport) return;
    former = socket;
    socket = pusher.connection.socket_id;
    // Channels that were left meanwhile. A user's own channel is not among those that pusher-js lists.
    for (const name of stands.keys()) if (name[0] !== "#" && !pusher.channel(name)) stands.delete(name);
    const take = transport.onMessage;
    const isOpen = (): boolean => pusher.connection.connection?.transport === transport;
    /** Gives on what is owed. A listener that throws, or that hangs up, takes nothing from those behind it. */
    const give = (): void => {
      const message = isOpen() ? owed.shift() : undefined;
      if (message) try { take.call(transport, message); } finally { give(); }
    };
    /** The frames of one event of which the last has not come. A cut drops them, and they come again. */
    let open: Message[] = [];
    transport.onMessage = (message) => {
      if (!isOpen()) return;
      const frame = JSON.parse(message.data);
      open.push(message);
      if (frame.more) return;
      owed.push(...open);
      open = [];
      note(frame);
      give();
    };
  });
}
