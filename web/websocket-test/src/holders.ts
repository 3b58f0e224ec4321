// Who has a slot. Answers can be wrong about that, so the tests ask the server itself.
import { isShownAs } from "./identity.js";
import type { Line, Message } from "./line.js";
import type { Slot } from "./slots.js";

/** The client ids that the server names as holders of a slot, in a `debug_info`. */
export function holders(info: Message, slot: Slot): unknown[] {
  const locks = Array.isArray(info["locks"]) ? (info["locks"] as Message[]) : [];
  // In this list an employee is a text, whatever it was in the question.
  const here = locks.filter((lock) => lock["date"] === slot.date && lock["time"] === slot.time
    && String(lock["employeeId"]) === String(slot.employeeId) && lock["expired"] !== true);
  return here.map((lock) => lock["clientId"]);
}

/** Asks who has a slot. */
export async function ask(line: Line, slot: Slot): Promise<unknown[]> {
  return holders(await line.ask({ type: "get_debug" }, "debug_info"), slot);
}

/** Says what is wrong unless exactly this one has the slot. */
export function wrong(found: unknown[], clientId: string): string | undefined {
  if (found.length !== 1) return `${found.length} hold it instead of one`;
  if (!isShownAs(clientId, found[0])) return `${String(found[0])} holds it, not ${clientId}`;
  return undefined;
}
