// What every test stands on: people with their lines, and a day of slots.
import { ask, wrong } from "../holders.js";
import type { Identity } from "../identity.js";
import { Line, type Events, type Message } from "../line.js";
import { Day, isOf, isOn, type Slot } from "../slots.js";
import type { Tally } from "../tally.js";

/** A test cannot be run as things are, and says what it needs. */
export class NotRun extends Error {}

/** Fails with a sentence. */
export function must(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence);
}

/** Somebody who is connected. */
export class Person {
  clientId = "";
  isAnonymous = true;

  constructor(readonly identity: Identity, readonly line: Line) {}

  /** Connects, and hears as whom. */
  async arrive(): Promise<Message> {
    const greeting = this.line.next("connection");
    this.line.open();
    const said = await greeting;
    this.greeted(said);
    return said;
  }

  greeted(said: Message): void {
    this.clientId = String(said["clientId"]);
    this.isAnonymous = said["isAnonymous"] === true;
  }

  /** Asks for a slot; gives the answer, which is one of two. */
  lock(slot: Slot): Promise<Message> {
    return this.line.ask({ type: "lock_slot", ...slot },
      (said) => (said.type === "slot_locked" || said.type === "slot_taken") && isOf(slot, said));
  }

  /** Locks a slot that must be free. */
  async take(slot: Slot): Promise<Message> {
    const said = await this.lock(slot);
    must(said.type === "slot_locked", `${slot.time} was refused: ${String(said["reason"])}`);
    return said;
  }

  /** Gives a slot back. */
  leave(slot: Slot, completed = false): Promise<Message> {
    return this.line.ask({ type: "unlock_slot", ...slot, completed },
      (said) => (said.type === "slot_unlocked" && isOf(slot, said)) || said.type === "error");
  }

  /** The times of the slot's day that cannot be had. */
  async unavailable(slot: Slot): Promise<string[]> {
    const said = await this.line.ask({ type: "check_availability", date: slot.date, employeeId: slot.employeeId },
      (message) => message.type === "availability_update" && isOn(slot, message));
    return Array.isArray(said["unavailable"]) ? said["unavailable"].map(String) : [];
  }
}

/** Everything that a run has. */
export class Stage {
  day = new Day();
  #people: Person[] = [];

  constructor(readonly address: string, readonly identities: Identity[], readonly tally: Tally, readonly events: Events) {}

  /** The one who does most of it. */
  get anna(): Person {
    const [first] = this.#people;
    must(first !== undefined && first.line.isOpen, "there is no connection");
    return first;
  }

  /** Connects one more. */
  async bring(identity: Identity): Promise<Person> {
    const url = identity.query ? `${this.address}?${identity.query}` : this.address;
    const person = new Person(identity, new Line(url, this.tally, this.events));
    this.#people.push(person);
    await person.arrive();
    return person;
  }

  /** So many different people, and no more than there are; those who are there already come first. */
  async people(least: number, most: number): Promise<Person[]> {
    if (this.identities.length < least) {
      throw new NotRun(`needs ${least} identities; type in tokens or signed addresses, one on each line`);
    }
    const wanted = this.identities.slice(0, most);
    const found: Person[] = [];
    for (const identity of wanted) {
      found.push(this.#people.find((person) => person.identity === identity) ?? (await this.bring(identity)));
    }
    const ids = new Set(found.map((person) => person.clientId));
    must(ids.size === found.length, "the server takes two identities for the same one");
    return found;
  }

  /** Fails unless this one, and nobody else, has the slot. */
  async mustHold(person: Person, slot: Slot): Promise<void> {
    const error = wrong(await ask(this.anna.line, slot), person.clientId);
    if (error) throw new Error(`${slot.time}: ${error}`);
  }

  /** Fails if anybody has the slot. */
  async mustBeFree(slot: Slot): Promise<void> {
    const found = await ask(this.anna.line, slot);
    must(found.length === 0, `${slot.time} is still held by ${String(found[0])}`);
    must(!(await this.anna.unavailable(slot)).includes(slot.time), `${slot.time} is not shown as free`);
  }

  /** Ends every line. */
  end(): void {
    for (const person of this.#people) person.line.close();
  }
}
