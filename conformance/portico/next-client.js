// What PorticoEstate's Next.js front end does on its connection, told anew: it asks its site for the session, names it
// again and again, sends heartbeats with ids of their own, and looks for the wrong name in a `room_ping`, so that it
// never answers one.
(function (window) {
  "use strict";

  const tell = (name, detail) => window.dispatchEvent(new CustomEvent("portico:" + name, { detail }));

  window.startService = function ({ heartbeat, renewal, back } = { heartbeat: 30_000, renewal: 300_000, back: 5_000 }) {
    const rooms = new Map();
    const timers = [];
    let socket, beats = 0, answers = 0;

    const send = (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ...message, timestamp: new Date().toISOString() }));
    };
    const nameSession = async () => {
      const { sessionId } = await (await fetch("session.json")).json();
      send({ type: "update_session", sessionId });
    };

    function hear(message) {
      switch (message.type) {
        case "server_ping":
          send({ type: "pong", reply_to: message.id });
          break;
        case "room_ping":
          // The room is called entity_building_10.
          if (rooms.has(message.roomId)) {
            answers += 1;
            send({ type: "room_ping_response", roomId: message.roomId, pingId: message.id });
          }
          break;
        case "session_id_required":
          nameSession();
          break;
        case "reconnect_required":
          socket.close();
          break;
        default:
          break;
      }
      tell(message.type, message);
    }

    function open() {
      const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
      socket = new WebSocket(`${scheme}//${window.location.host}/wss`);
      socket.onopen = () => {
        rooms.forEach(({ entityType, entityId }) => send({ type: "subscribe", entityType, entityId }));
        timers.push(setInterval(() => send({ type: "ping", heartbeat_id: `beat-${(beats += 1)}`, count: beats }), heartbeat));
        timers.push(setInterval(nameSession, renewal));
      };
      socket.onmessage = ({ data }) => hear(JSON.parse(data));
      socket.onclose = () => {
        timers.splice(0).forEach(clearInterval);
        tell("closed", {});
        setTimeout(open, back);
      };
    }
    open();

    return {
      subscribe(entityType, entityId) {
        rooms.set(`${entityType}_${entityId}`, { entityType, entityId });
        send({ type: "subscribe", entityType, entityId });
      },
      nameSession,
      send,
      answers: () => answers,
    };
  };
})(window);
