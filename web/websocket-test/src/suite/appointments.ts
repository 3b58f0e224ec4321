// A person's appointments, and what a page says about them.
import type { Message } from "../line.js";
import { must, NotRun, type Person, type Stage } from "./stage.js";

const SOME = "APT-2025-000123";

/** Somebody who is known, since appointments are nobody else's business. */
function known(stage: Stage): Person {
  if (stage.anna.isAnonymous) throw new NotRun("needs an identity; type in a token or a signed address");
  return stage.anna;
}

export async function watches(stage: Stage): Promise<string> {
  const anna = known(stage);
  const said = await anna.line.ask({ type: "watch_appointments", email: anna.clientId }, "appointments_data");
  must(Array.isArray(said["appointments"]), "the answer has no list");
  must(said["count"] === said["appointments"].length, "its count is not that of its list");
  return `${String(said["count"])} appointments`;
}

async function tells(stage: Stage, event: string): Promise<string> {
  const message: Message = { type: event, appointmentId: SOME, email: stage.anna.clientId };
  const said = await stage.anna.line.ask(message, "event_received");
  must(said["eventType"] === event && said["appointmentId"] === SOME, "the answer is about something else");
  return "heard";
}

export const updates = (stage: Stage): Promise<string> => tells(stage, "appointment_updated");

export const cancels = (stage: Stage): Promise<string> => tells(stage, "appointment_cancelled");

export async function unwatches(stage: Stage): Promise<string> {
  await stage.anna.line.ask({ type: "unwatch_appointments", email: stage.anna.clientId }, "unwatch_confirmed");
  return "confirmed";
}
