// Makes the page out of its parts, as one file: what `deskbell` serves at /websocket-test.
//
//     node build.mjs           writes it
//     node build.mjs --check   fails when what is there is another one
//
// The page says of which sources it was made, so that a test without Node can tell that it is stale.
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";

const HERE = import.meta.dirname;
const TARGET = path.resolve(HERE, "../../crates/server/src/http/websocket_test.html");

/** Every file that the page is made of, by its path from here, in order. */
async function sources() {
  const below = await readdir(path.join(HERE, "src"), { recursive: true, withFileTypes: true });
  const files = below.filter((entry) => entry.isFile());
  const paths = files.map((entry) => path.relative(HERE, path.join(entry.parentPath ?? entry.path, entry.name)));
  return [...paths.map((name) => name.replaceAll("\\", "/")), "build.mjs", "package-lock.json"].sort();
}

/** One number for all of them. The test in `websocket_test.rs` makes the same. */
async function fingerprint() {
  const whole = createHash("sha256");
  for (const name of await sources()) {
    const text = await readFile(path.join(HERE, name));
    whole.update(`${name}\n${text.length}\n`).update(text);
  }
  return whole.digest("hex");
}

async function page() {
  const bundle = await build({
    entryPoints: [path.join(HERE, "src/main.ts")],
    bundle: true, write: false, format: "iife", target: "es2022", minify: true, legalComments: "none", charset: "utf8",
  });
  const script = bundle.outputFiles[0].text.trim();
  if (script.includes("</script")) throw new Error("the script would end itself");
  const style = await readFile(path.join(HERE, "src/style.css"), "utf8");
  const html = await readFile(path.join(HERE, "src/page.html"), "utf8");
  // By function: a `$` in what is put in means nothing.
  return html
    .replace("/* STYLE */", () => style.trim())
    .replace("/* SCRIPT */", () => script)
    .replace("FINGERPRINT", await fingerprint());
}

const made = await page();
if (!process.argv.includes("--check")) {
  await writeFile(TARGET, made);
} else if (made !== (await readFile(TARGET, "utf8"))) {
  console.error("The page is not the one that its sources make. Run `make pages`, and commit what it writes.");
  process.exit(1);
}
