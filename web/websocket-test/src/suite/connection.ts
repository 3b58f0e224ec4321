// Is the server there, how fast does it answer, and does a page come back to it by itself?
import { Day } from "../slots.js";
import { must, type Stage } from "./stage.js";

/** Days that are looked at until one is found on which nothing is taken. */
const DAYS = 5;

export async function connects(stage: Stage): Promise<string> {
  const [first] = stage.identities;
  must(first !== undefined, "there is nobody to connect as");
  const anna = await stage.bring(first);
  must(anna.clientId !== "" && anna.clientId !== "undefined", "the greeting names no client");
  await findFreeDay(stage);
  return `greeted as ${anna.clientId}`;
}

async function findFreeDay(stage: Stage): Promise<void> {
  for (let tries = 0; tries < DAYS; tries++) {
    const slot = { date: stage.day.date, time: "", employeeId: stage.day.employeeId };
    if ((await stage.anna.unavailable(slot)).length === 0) return;
    stage.day = new Day();
  }
  throw new Error("no free day was found; is the calendar full?");
}

export async function pings(stage: Stage): Promise<string> {
  const said = await stage.anna.line.ask({ type: "ping" }, "pong");
  must(typeof said["timestamp"] === "number" && said["latency"] === 0, "a pong has a time, and 0 where none was sent");
  return "answered";
}

export async function tellsLatency(stage: Stage): Promise<string> {
  const begun = performance.now();
  const said = await stage.anna.line.ask({ type: "ping", timestamp: Date.now() }, "pong");
  must(typeof said["latency"] === "number", "the pong names no latency");
  return `${(performance.now() - begun).toFixed(1)} ms there and back`;
}

/** The connection ends as in an accident; the line comes back by itself as the same one, with what it held. */
export async function comesBack(stage: Stage): Promise<string> {
  const { anna } = stage;
  const slot = stage.day.slot();
  await anna.take(slot);
  const greeting = anna.line.next("connection");
  const begun = performance.now();
  anna.line.cut();
  anna.greeted(await greeting);
  await anna.line.ask({ type: "ping" }, "pong");
  const said = await anna.lock(slot);
  must(said.type === "slot_locked", "the slot that it held before the cut is not its own any more");
  await anna.leave(slot);
  return `back after ${Math.round(performance.now() - begun)} ms, with its slot`;
}
