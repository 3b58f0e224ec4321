// Who the page is. Tests of conflicts need several people, and a page is one browser.

/** Somebody whom the server can tell from others. */
export interface Identity {
  /** What the page calls them. */
  label: string;
  /** What is put behind the address that is connected to. */
  query: string;
}

/** People that a development server takes at their word. Their addresses differ in the first letter, because that
 * is what a server shows of them to others. */
export function invented(run: string): Identity[] {
  return ["anna", "ben", "cleo"].map((name) => {
    const email = `${name}-${run}@test.example`;
    return { label: email, query: new URLSearchParams({ email }).toString() };
  });
}

/** The people that a text names, one on each line: a token, or an address with its signature. Behind them comes the
 * visitor that every browser is. */
export function named(text: string): Identity[] {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return [...lines.map(proven), { label: "this browser's visitor", query: "" }];
}

function proven(line: string, index: number): Identity {
  const [email, sig] = line.split(/[\s,]+/);
  if (email?.includes("@") && sig) return { label: email, query: new URLSearchParams({ email, sig }).toString() };
  return { label: `token ${index + 1}`, query: new URLSearchParams({ token: line }).toString() };
}

/** Is this the label that a server shows of a client to those who may not see addresses? */
export function isShownAs(clientId: string, shown: unknown): boolean {
  return shown === clientId || (clientId.includes("@") && shown === masked(clientId));
}

/** An address as a server shows it to others: `a***@e***.org`. */
export function masked(email: string): string {
  const [name = "", host = ""] = email.split("@");
  const dot = host.lastIndexOf(".");
  const top = dot < 0 ? "" : host.slice(dot);
  return `${name.slice(0, 1)}***@${host.slice(0, 1)}***${top}`;
}
