// What went over all lines of the page, in numbers.

/** How many latencies the plot shows; older ones are forgotten. */
const SHOWN = 200;

export class Tally {
  sent = 0;
  received = 0;
  errors = 0;
  /** Milliseconds from question to answer, the newest last. */
  latencies: number[] = [];
  #sum = 0;
  #timed = 0;
  #changed: () => void;

  constructor(changed: () => void = () => {}) {
    this.#changed = changed;
  }

  countSent(): void {
    this.sent += 1;
    this.#changed();
  }

  countReceived(): void {
    this.received += 1;
    this.#changed();
  }

  countError(): void {
    this.errors += 1;
    this.#changed();
  }

  timed(milliseconds: number): void {
    this.#sum += milliseconds;
    this.#timed += 1;
    this.latencies.push(milliseconds);
    if (this.latencies.length > SHOWN) this.latencies.shift();
    this.#changed();
  }

  /** Of all questions since the beginning; nothing before the first. */
  mean(): number | undefined {
    return this.#timed === 0 ? undefined : this.#sum / this.#timed;
  }

  /** Forgets everything. */
  clear(): void {
    this.sent = this.received = this.errors = this.#sum = this.#timed = 0;
    this.latencies = [];
    this.#changed();
  }
}
