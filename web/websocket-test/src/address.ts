// Where the server is: where the page came from, also below a path that a proxy added.
import { valueOf } from "./dom.js";

const here = new URL(".", location.href);

/** The address of a WebSocket. */
export function socket(path: string): string {
  const url = new URL(path, here);
  url.protocol = here.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The address of a request. */
export const request = (path: string): string => new URL(path, here).href;

/** Is this a development server, which takes people at their word? */
export const isDev = (): boolean => document.documentElement.dataset["mode"] === "dev";

/** The app's public key. */
export const key = (): string => document.documentElement.dataset["key"] ?? "";

/** The first token that was typed in. */
export const token = (): string | undefined => valueOf("identities").split("\n").map((line) => line.trim())
  .find((line) => line !== "" && !line.includes("@"));

/** Asks as a backend: with the secret, where one was typed in. */
export async function tell(path: string, body: unknown): Promise<unknown> {
  const secret = valueOf("secret");
  const answer = await fetch(request(path), {
    method: "POST",
    headers: { "content-type": "application/json", ...(secret ? { authorization: `Bearer ${secret}` } : {}) },
    body: JSON.stringify(body),
  });
  const said = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) {
    const why = said["detail"] ?? said["error"] ?? said["message"] ?? "refused";
    const hint = answer.status === 401 && !secret ? " (type in the app's secret above)" : "";
    throw new Error(`${answer.status}: ${String(why)}${hint}`);
  }
  return said;
}
