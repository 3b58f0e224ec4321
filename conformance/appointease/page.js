// A booking page as sites have it: it tries a WebSocket for three seconds, and once that has ended it polls for good,
// every few seconds whether the last question was answered or not, with the time of its own clock.
class Realtime {
  constructor({ root, wsUrl, pollingInterval }) {
    this.pollingUrl = `${root}appointease/v1/realtime/poll`;
    this.wsUrl = wsUrl;
    this.interval = pollingInterval;
    this.handlers = [];
  }

  connect() {
    if (!("WebSocket" in window)) return this.poll();
    this.socket = new WebSocket(this.wsUrl);
    const patience = setTimeout(() => this.socket.close(), 3_000);
    this.socket.onopen = () => clearTimeout(patience);
    this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data), "websocket");
    this.socket.onclose = () => this.poll();
  }

  poll() {
    if (this.timer) return;
    document.querySelector("#mode").textContent = "polling";
    this.timer = setInterval(() => this.ask(), this.interval);
  }

  async ask() {
    try {
      const query = new URLSearchParams({ email: "", last_update: Date.now() });
      const answer = await fetch(`${this.pollingUrl}?${query}`, { headers: { "Content-Type": "application/json" } });
      if (!answer.ok) return;
      const told = await answer.json();
      if (told.type === "update") for (const update of told.data) this.hear(update, "polling");
    } catch {
      // Nobody is there; the next question comes by itself.
    }
  }

  send(type, data) {
    this.socket.send(JSON.stringify({ type, ...data }));
  }

  hear(told, way) {
    if (told.type === "connection") document.querySelector("#mode").textContent = told.mode;
    const line = document.createElement("li");
    line.textContent = `${way} ${told.type} ${told.date ?? ""} ${told.time ?? (told.unavailable ?? []).join(",")}`;
    document.querySelector("#heard").append(line);
  }
}

window.realtime = new Realtime(window.bookingAPI);
window.realtime.connect();
