// A line to the server: one WebSocket that speaks JSON, counts what passes, and comes back by itself.
import type { Tally } from "./tally.js";

/** A message, as either side sends it. */
export interface Message {
  type?: unknown;
  [member: string]: unknown;
}

/** Whether a message is the one that is waited for. */
export type Wanted = (message: Message) => boolean;

interface Waiting {
  wanted: Wanted;
  /** Whether it is an answer, so that an error which nobody waits for is about it. */
  answer: boolean;
  done: (message: Message) => void;
  fail: (error: Error) => void;
}

/** How long an answer may take before it counts as lost. */
const PATIENCE = 10_000;
/** The longest wait before the next attempt to come back. */
const LONGEST = 5_000;

/** What a line tells of itself. */
export interface Events {
  said?: (message: unknown) => void;
  heard?: (message: unknown) => void;
  state?: (state: "open" | "closed" | "waiting") => void;
}

export class Line {
  #socket: WebSocket | undefined;
  #waiting: Waiting[] = [];
  #wished = false;
  #attempt = 0;
  #retry = 0;

  constructor(readonly url: string, readonly tally: Tally, readonly events: Events = {}) {}

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects, and stays connected until `close`. */
  open(): void {
    if (this.#wished) return;
    this.#wished = true;
    this.#connect();
  }

  /** Ends it for good. */
  close(): void {
    this.#wished = false;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#fail(new Error("the line was closed"));
  }

  /** Ends the connection as an accident does: the line comes back by itself. */
  cut(): void {
    this.#socket?.close();
  }

  /** Sends a message, or a text as it is. */
  say(message: Message | string): void {
    if (!this.#socket || !this.isOpen) throw new Error("not connected");
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
    this.tally.countSent();
    this.events.said?.(message);
  }

  /** Sends a message and waits for its answer. The time until then counts as latency. */
  async ask(message: Message, wanted: Wanted | string): Promise<Message> {
    const begun = performance.now();
    const answer = this.#wait(typeof wanted === "string" ? (said) => said.type === wanted : wanted, true);
    try {
      this.say(message);
    } catch (error) {
      answer.catch(() => {});
      throw error;
    }
    const said = await answer;
    this.tally.timed(performance.now() - begun);
    return said;
  }

  /** Waits for a message that comes by itself. */
  next(wanted: Wanted | string): Promise<Message> {
    const heard = this.#wait(typeof wanted === "string" ? (said) => said.type === wanted : wanted, false);
    // Whoever gives up in between still hears of it where it waits.
    heard.catch(() => {});
    return heard;
  }

  #wait(wanted: Wanted, answer: boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== one);
      };
      const one: Waiting = {
        wanted,
        answer,
        done: (message) => (leave(), resolve(message)),
        fail: (error) => (leave(), reject(error)),
      };
      const timer = setTimeout(() => {
        this.tally.countError();
        one.fail(new Error(`nothing came within ${PATIENCE / 1000} s`));
      }, PATIENCE);
      this.#waiting.push(one);
    });
  }

  #connect(): void {
    this.events.state?.("waiting");
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#attempt = 0;
      this.events.state?.("open");
    });
    socket.addEventListener("message", (event) => this.#hear(String(event.data)));
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return;
      this.events.state?.("closed");
      if (!this.#wished) return;
      this.#attempt += 1;
      const wait = Math.random() * Math.min(LONGEST, 200 * 2 ** this.#attempt);
      this.#retry = setTimeout(() => this.#connect(), wait);
    });
  }

  #hear(text: string): void {
    this.tally.countReceived();
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch {
      this.tally.countError();
      return;
    }
    this.events.heard?.(message);
    const claimed = this.#waiting.find((one) => one.wanted(message));
    if (claimed) return claimed.done(message);
    if (message.type !== "error") return;
    this.tally.countError();
    // Answers come in order, so an error that nobody waits for is about the oldest question.
    this.#waiting.find((one) => one.answer)?.fail(new Error(String(message["message"])));
  }

  #fail(error: Error): void {
    for (const one of [...this.#waiting]) one.fail(error);
  }
}
