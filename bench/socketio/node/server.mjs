// The yardstick for Socket.IO in Node: npm's `socket.io` with rooms and nothing else, and Deskbell's form of a publish.
import http from "node:http";

import { Server } from "socket.io";

// Requests that are not Socket.IO's own: a publish, or the question whether it is there.
const server = http.createServer((request, answer) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    if (request.method === "POST") {
      const published = JSON.parse(body);
      for (const { channel, name, data } of published.events ?? [published]) io.to(channel).emit(name, data);
    }
    answer.end("{}");
  });
});
// A WebSocket at once, as the load generator speaks: what an upgrade costs is measured nowhere.
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
io.on("connection", (socket) => {
  socket.on("join_room", (room, answer) => {
    socket.join(room);
    answer({ success: true });
  });
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log(server.address().port));
process.on("SIGTERM", () => process.exit(0));
