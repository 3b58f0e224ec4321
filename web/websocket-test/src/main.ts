// The page: all tests behind one button, what they found in numbers, and every dialect by hand.
import { isDev, socket } from "./address.js";
import { byId, made, onPress, show, valueOf } from "./dom.js";
import { invented, named } from "./identity.js";
import { byHand } from "./panel/byhand.js";
import { portico } from "./panel/portico.js";
import { pusher } from "./panel/pusher.js";
import { socketio } from "./panel/socketio.js";
import { draw } from "./plot.js";
import { runAll, TESTS, type Result } from "./suite/index.js";
import { Stage } from "./suite/stage.js";
import { Tally } from "./tally.js";

const plot = document.querySelector<SVGElement>("#plot") as SVGElement;
let drawn = false;
const tally = new Tally(() => {
  // Many messages come between two pictures of a screen; one drawing is enough.
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    showTotals();
  });
});

function showTotals(): void {
  const mean = tally.mean();
  byId("sent").textContent = String(tally.sent);
  byId("received").textContent = String(tally.received);
  byId("errors").textContent = String(tally.errors);
  byId("mean").textContent = mean === undefined ? "–" : `${mean.toFixed(1)} ms`;
  draw(plot, tally.latencies, mean);
}

const WORDS = { passed: "✓ passed", failed: "✗ failed", "not run": "– not run" } as const;

function showResult(result: Result): void {
  const row = made("tr", "", result.outcome.replace(" ", "-"));
  const name = made("th", result.test.name);
  name.setAttribute("scope", "row");
  row.append(name, made("td", WORDS[result.outcome], "outcome"), made("td", result.said, "said"),
    made("td", `${Math.round(result.milliseconds)} ms`, "time"));
  byId("results").append(row);
  show("verdict", "waiting", `${byId("results").children.length} of ${TESTS.length}: ${result.test.name}`);
}

async function run(): Promise<void> {
  const button = byId<HTMLButtonElement>("run");
  if (button.getAttribute("aria-disabled") === "true") return;
  // A disabled button would lose the focus of whoever came by keyboard.
  button.setAttribute("aria-disabled", "true");
  byId("results").replaceChildren();
  tally.clear();
  show("verdict", "waiting", "Running");
  const typed = valueOf("identities");
  const name = crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? "run";
  const people = isDev() && !typed ? invented(name) : named(typed);
  const results = await runAll(new Stage(socket("appointease"), people, tally, {}), showResult);
  showTotals();
  showVerdict(results);
  button.setAttribute("aria-disabled", "false");
}

function showVerdict(results: Result[]): void {
  const count = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  const passed = `${count("passed")} of ${results.length} passed`;
  const parts = [passed, ...(count("failed") ? [`${count("failed")} failed`] : []), ...(count("not run") ? [`${count("not run")} not run`] : [])];
  show("verdict", count("failed") ? "bad" : count("not run") ? "waiting" : "good", parts.join(", "));
}

onPress("run", run, (error) => show("verdict", "bad", error.message));
onPress("clear", () => tally.clear(), () => {});
byHand(tally);
portico(tally);
socketio(tally);
pusher(tally);
addEventListener("resize", showTotals);
showTotals();
