// Locks and selections of one person, and what others see of them.
import { isOf, isOn, type Slot } from "../slots.js";
import { must, type Person, type Stage } from "./stage.js";

export async function locks(stage: Stage): Promise<string> {
  const slot = stage.day.slot();
  const said = await stage.anna.take(slot);
  must(isOf(slot, said), "the answer is about another slot, or has its id as another type");
  const seconds = Number(said["expiresIn"]);
  must(seconds > 0 && seconds <= 600, `it lasts ${seconds} s`);
  await stage.mustHold(stage.anna, slot);
  const again = Number((await stage.anna.take(slot))["expiresIn"]);
  must(again <= seconds, "locking it again made it last longer");
  must((await stage.anna.unavailable(slot)).includes(slot.time), "it is not shown as unavailable");
  await stage.anna.leave(slot);
  return `held for ${seconds} s, shown as unavailable`;
}

export async function unlocks(stage: Stage): Promise<string> {
  const slot = stage.day.slot();
  await stage.anna.take(slot);
  const said = await stage.anna.leave(slot);
  must(said.type === "slot_unlocked", `refused: ${String(said["message"])}`);
  await stage.mustBeFree(slot);
  return "free again";
}

async function select(person: Person, slot: Slot): Promise<void> {
  await person.line.ask({ type: "selecting_slot", ...slot },
    (said) => said.type === "selection_confirmed" && isOf(slot, said));
}

async function deselect(person: Person, slot: Slot): Promise<void> {
  await person.line.ask({ type: "deselect_slot", ...slot },
    (said) => said.type === "deselection_confirmed" && isOf(slot, said));
}

/** What somebody hears about a day's selections once they are as described. */
function hears(person: Person, slot: Slot, right: (times: unknown[]) => boolean) {
  return person.line.next((said) => said.type === "active_selections" && isOn(slot, said)
    && Array.isArray(said["slots"]) && right(said["slots"]));
}

/** Somebody else who is there; nobody, where the page has one identity alone. */
async function witness(stage: Stage): Promise<Person | undefined> {
  const [, ben] = await stage.people(1, 2);
  return ben;
}

export async function selects(stage: Stage): Promise<string> {
  const ben = await witness(stage);
  const slot = stage.day.slot();
  const heard = ben && hears(ben, slot, (times) => times.includes(slot.time));
  await select(stage.anna, slot);
  await heard;
  await deselect(stage.anna, slot);
  return ben ? `${slot.time} was seen by somebody else` : "confirmed; with a second identity it is also looked at";
}

export async function deselects(stage: Stage): Promise<string> {
  const ben = await witness(stage);
  const slot = stage.day.slot();
  const seen = ben && hears(ben, slot, (times) => times.includes(slot.time));
  await select(stage.anna, slot);
  await seen;
  const gone = ben && hears(ben, slot, (times) => !times.includes(slot.time));
  await deselect(stage.anna, slot);
  await gone;
  return ben ? `${slot.time} is seen no more` : "confirmed; with a second identity it is also looked at";
}

export async function selectsFive(stage: Stage): Promise<string> {
  const ben = await witness(stage);
  const slots = stage.day.slots(5);
  const [first] = slots;
  must(first !== undefined, "there are no slots");
  const heard = ben && hears(ben, first, (times) => slots.every((slot) => times.includes(slot.time)));
  await Promise.all(slots.map((slot) => select(stage.anna, slot)));
  await heard;
  await Promise.all(slots.map((slot) => deselect(stage.anna, slot)));
  return ben ? "all five were seen together" : "five confirmed";
}

/** Ten at once, each of which is held afterwards by the one who asked. */
export async function locksTen(stage: Stage): Promise<string> {
  const { anna } = stage;
  const slots = stage.day.slots(10);
  await Promise.all(slots.map((slot) => anna.take(slot)));
  for (const slot of slots) await stage.mustHold(anna, slot);
  await Promise.all(slots.map((slot) => anna.leave(slot)));
  const left = await anna.unavailable(slots[0] ?? stage.day.slot());
  must(slots.every((slot) => !left.includes(slot.time)), "some of them are not free afterwards");
  return "ten held at once, ten free again";
}
