// Several people want one slot. What counts is who has it afterwards, and not what each was told.
import { isOf, isOn } from "../slots.js";
import { must, type Person, type Stage } from "./stage.js";

/** Slots that are fought for in the race. */
const ROUNDS = 5;

async function refused(person: Person, slot: Parameters<Person["lock"]>[0]): Promise<void> {
  const said = await person.lock(slot);
  must(said.type === "slot_taken", `${person.clientId} was told that it has what somebody else has`);
  must(said["reason"] === "locked" || said["reason"] === "booked", `refused for ${String(said["reason"])}`);
}

/** One has it, and the other, who watches, hears of it and cannot have it. */
export async function conflicts(stage: Stage): Promise<string> {
  const [anna, ben] = (await stage.people(2, 2)) as [Person, Person];
  const slot = stage.day.slot();
  // Watching is never answered; the ping behind it is, and comes after it.
  ben.line.say({ type: "watch_slot", ...slot });
  await ben.line.ask({ type: "ping" }, "pong");
  const taken = ben.line.next((said) => said.type === "slot_taken" && isOf(slot, said));
  const shown = ben.line.next((said) => said.type === "availability_update" && isOn(slot, said)
    && Array.isArray(said["unavailable"]) && said["unavailable"].includes(slot.time));
  await anna.take(slot);
  await Promise.all([taken, shown]);
  await refused(ben, slot);
  await stage.mustHold(anna, slot);
  await anna.leave(slot);
  return `${anna.clientId} kept it; ${ben.clientId} was told`;
}

/** The first of several has it, whatever the others try, and they cannot take it away. */
export async function booksOnce(stage: Stage): Promise<string> {
  const [anna, ...others] = (await stage.people(2, 3)) as [Person, ...Person[]];
  const slot = stage.day.slot();
  await anna.take(slot);
  for (const other of others) {
    await refused(other, slot);
    await stage.mustHold(anna, slot);
    const said = await other.leave(slot);
    must(said.type === "error", `${other.clientId} could unlock what it does not have`);
    await stage.mustHold(anna, slot);
  }
  await anna.leave(slot);
  await stage.mustBeFree(slot);
  return `one of ${others.length + 1} had it all the time`;
}

/** All at once: exactly one gets it, and it is the one who was told so. */
export async function races(stage: Stage): Promise<string> {
  const people = await stage.people(2, 3);
  for (let round = 0; round < ROUNDS; round++) {
    const slot = stage.day.slot();
    const said = await Promise.all(people.map((person) => person.lock(slot)));
    const won = people.filter((_, index) => said[index]?.type === "slot_locked");
    const [winner] = won;
    must(winner !== undefined && won.length === 1, `${won.length} of ${people.length} were told that they have it`);
    await stage.mustHold(winner, slot);
    await winner.leave(slot);
  }
  return `${ROUNDS} slots, ${people.length} people, one holder each`;
}
