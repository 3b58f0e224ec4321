// The page's elements, by their ids.

/** An element that the page has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found as T;
}

/** What stands in a field. */
export const valueOf = (id: string): string => byId<HTMLInputElement>(id).value.trim();

/** Does something when a button is pressed. What goes wrong is told by `wrong`. */
export function onPress(id: string, act: () => unknown, wrong: (error: Error) => void): void {
  byId(id).addEventListener("click", () => {
    Promise.resolve()
      .then(act)
      .catch((error: unknown) => wrong(error instanceof Error ? error : new Error(String(error))));
  });
}

/** An element with a text. */
export function made(tag: string, text = "", className = ""): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Lines that a list shows at most. */
const LINES = 200;
/** Characters of a line. */
const WIDTH = 2_000;

/** A list of what was said, the newest first. */
export class Log {
  #list: HTMLElement;

  constructor(id: string) {
    this.#list = byId(id);
  }

  sent = (what: unknown): void => this.#line("sent", "you", what);
  heard = (what: unknown): void => this.#line("heard", "server", what);
  note = (text: string): void => this.#line("note", "note", text);
  wrong = (error: Error): void => this.#line("wrong", "no", error.message);

  #line(kind: string, who: string, what: unknown): void {
    this.#list.querySelector(".none")?.remove();
    const line = made("li", "", kind);
    const text = typeof what === "string" ? what : JSON.stringify(what);
    line.append(made("span", new Date().toLocaleTimeString(), "when"), made("strong", who), made("code", text.slice(0, WIDTH)));
    this.#list.prepend(line);
    while (this.#list.children.length > LINES) this.#list.lastElementChild?.remove();
  }
}

/** Shows a state: a word, and a colour that does not stand alone. */
export function show(id: string, state: "good" | "bad" | "waiting" | "none", text: string): void {
  const place = byId(id);
  place.dataset["state"] = state;
  const words = place.lastElementChild ?? place;
  if (words.textContent !== text) words.textContent = text;
}

/** Shows how a line is. */
export function showLine(id: string, state: "open" | "closed" | "waiting"): void {
  switch (state) {
    case "open":
      return show(id, "good", "Connected");
    case "closed":
      return show(id, "bad", "Not connected");
    case "waiting":
      return show(id, "waiting", "Connecting");
  }
}
