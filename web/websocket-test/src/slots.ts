// Which slots the tests use. They lie on days that nobody books, and each run has its own.

/** A time of a day with somebody. */
export interface Slot {
  date: string;
  time: string;
  employeeId: number;
}

/** Days from now on which the tests take place: far enough from every real appointment. */
const FIRST_DAY = 200;
const DAYS = 3_000;
/** The people whom nobody books. They are few, because the server makes each of them when it is asked for. */
const FIRST_EMPLOYEE = 990_001;
const EMPLOYEES = 20;
/** Slots of a day: every half hour from 06:00 on. */
const TIMES = 32;

/** A day of somebody, with slots to hand out. */
export class Day {
  readonly date: string;
  readonly employeeId: number;
  #next = 0;

  constructor(random: () => number = Math.random, now: number = Date.now()) {
    const ahead = FIRST_DAY + Math.floor(random() * DAYS);
    this.date = new Date(now + ahead * 86_400_000).toISOString().slice(0, 10);
    this.employeeId = FIRST_EMPLOYEE + Math.floor(random() * EMPLOYEES);
  }

  /** A slot that nobody was given before. */
  slot(): Slot {
    if (this.#next >= TIMES) throw new Error("the day is over");
    const minutes = 6 * 60 + 30 * this.#next++;
    const two = (number: number) => String(number).padStart(2, "0");
    return { date: this.date, time: `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`, employeeId: this.employeeId };
  }

  slots(count: number): Slot[] {
    return Array.from({ length: count }, () => this.slot());
  }
}

/** Is a message about this slot? Identity counts, and so does the type of the id. */
export function isOf(slot: Slot, message: Record<string, unknown>): boolean {
  return message["date"] === slot.date && message["time"] === slot.time && message["employeeId"] === slot.employeeId;
}

/** Is a message about this day? */
export function isOn(slot: Slot, message: Record<string, unknown>): boolean {
  return message["date"] === slot.date && message["employeeId"] === slot.employeeId;
}
