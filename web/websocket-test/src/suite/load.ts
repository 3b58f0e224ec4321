// Many messages, each of which is answered.
import { must, type Stage } from "./stage.js";

const BEATS = 10;
const FLOOD = 50;
/** Milliseconds between two messages of the flood. */
const APART = 10;

export async function beats(stage: Stage): Promise<string> {
  for (let count = 0; count < BEATS; count++) {
    await stage.anna.line.ask({ type: "ping", sequence: count }, "pong");
  }
  return `${BEATS} of ${BEATS}`;
}

export async function floods(stage: Stage): Promise<string> {
  const { line } = stage.anna;
  const answers: Promise<unknown>[] = [];
  for (let count = 0; count < FLOOD; count++) {
    answers.push(line.ask({ type: "ping", sequence: count }, "pong"));
    await new Promise((done) => setTimeout(done, APART));
  }
  const done = await Promise.allSettled(answers);
  const came = done.filter((one) => one.status === "fulfilled").length;
  must(came === FLOOD, `${came} of ${FLOOD} were answered`);
  return `${FLOOD} of ${FLOOD} answered`;
}
