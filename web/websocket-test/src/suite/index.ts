// All tests, in their order, and how they are run.
import * as appointments from "./appointments.js";
import * as conflicts from "./conflicts.js";
import * as connection from "./connection.js";
import * as load from "./load.js";
import * as slots from "./slots.js";
import { NotRun, type Stage } from "./stage.js";

export interface Test {
  group: string;
  name: string;
  run: (stage: Stage) => Promise<string>;
}

/** How a test ended. */
export type Outcome = "passed" | "failed" | "not run";

export interface Result {
  test: Test;
  outcome: Outcome;
  /** What it found, or why it failed. */
  said: string;
  milliseconds: number;
}

const of = (group: string, tests: [string, Test["run"]][]): Test[] => tests.map(([name, run]) => ({ group, name, run }));

export const TESTS: Test[] = [
  ...of("Connection", [
    ["Connection", connection.connects],
    ["Ping", connection.pings],
    ["Latency", connection.tellsLatency],
    ["Reconnection by itself", connection.comesBack],
  ]),
  ...of("Slots", [
    ["Lock a slot", slots.locks],
    ["Unlock a slot", slots.unlocks],
    ["Select a slot", slots.selects],
    ["Deselect a slot", slots.deselects],
    ["Several selections", slots.selectsFive],
  ]),
  ...of("Appointments", [
    ["Watch appointments", appointments.watches],
    ["An update", appointments.updates],
    ["A cancellation", appointments.cancels],
    ["Unwatch appointments", appointments.unwatches],
  ]),
  ...of("Conflicts", [
    ["Slot conflict", conflicts.conflicts],
    ["Double booking", conflicts.booksOnce],
    ["Race", conflicts.races],
    ["Ten locks at once", slots.locksTen],
  ]),
  ...of("Load", [
    ["Heartbeat", load.beats],
    ["Flood", load.floods],
  ]),
];

/** Runs all tests, one after the other, and tells how each ended. */
export async function runAll(stage: Stage, tell: (result: Result) => void): Promise<Result[]> {
  const results: Result[] = [];
  for (const test of TESTS) {
    const result = await runOne(test, stage);
    results.push(result);
    tell(result);
  }
  stage.end();
  return results;
}

async function runOne(test: Test, stage: Stage): Promise<Result> {
  const begun = performance.now();
  const end = (outcome: Outcome, said: string): Result => ({ test, outcome, said, milliseconds: performance.now() - begun });
  try {
    return end("passed", await test.run(stage));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return end(error instanceof NotRun ? "not run" : "failed", said);
  }
}
