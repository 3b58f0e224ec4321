//! The lines with which the document verifies a signature, in the languages that are installed here.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// Reads `{"headers","body","secret"}` and prints whether it is verified.
const DRIVERS: [(&str, &[&str], &str); 3] = [
    (
        "python",
        &["python3", "-"],
        "import json\nd = json.loads(INPUT)\nprint(verify(d['headers'], d['body'].encode(), d['secret']))",
    ),
    (
        "js",
        &["node", "-"],
        "const d = JSON.parse(INPUT); console.log(verify(d.headers, Buffer.from(d.body), d.secret));",
    ),
    (
        "php",
        &["php"],
        "$d = json_decode(INPUT, true); echo verify($d['headers'], $d['body'], $d['secret']) ? 'true' : 'false';",
    ),
];

fn snippet(language: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhooks.md");
    let page = std::fs::read_to_string(file).unwrap();
    let begin = format!("```{language} verify\n");
    let rest = page.split_once(&begin).unwrap_or_else(|| panic!("no block {begin}")).1;
    rest.split_once("```").unwrap().0.to_owned()
}

/// What the language says, or nothing where it is not installed.
fn run(words: &[&str], program: &str) -> Option<String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{program}");
    Some(String::from_utf8(done.stdout).unwrap().trim().to_ascii_lowercase())
}

#[test]
fn the_lines_of_the_document_verify_what_really_arrives() {
    let world = World::start("");
    world.book();
    let got = world.receiver.next();
    let one = world.server.api("GET", "/v1/webhooks/shop", None).json();
    let secret = one["secret"].as_str().unwrap();
    let body = String::from_utf8(got.body.clone()).unwrap();
    let mut stale = got.headers.clone();
    stale.insert("webhook-timestamp".to_owned(), "1795683600".to_owned());
    let cases = [
        (json!({"headers": got.headers, "body": body, "secret": secret}), "true"),
        (json!({"headers": got.headers, "body": body + " ", "secret": secret}), "false"),
        (json!({"headers": stale, "body": "{}", "secret": secret}), "false"),
    ];
    let mut languages = 0;
    for (language, words, driver) in DRIVERS {
        for (case, expected) in &cases {
            // A JSON text within quotes is a text of all three languages.
            let quoted = serde_json::to_string(&case.to_string()).unwrap().replace('$', "\\u0024");
            let quoted = if language == "php" {
                format!("json_decode('{}')", quoted.replace('\\', "\\\\").replace('\'', "\\'"))
            } else {
                quoted
            };
            let open = if language == "php" { "<?php\n" } else { "" };
            let program = format!("{open}{}\n{}\n", snippet(language), driver.replace("INPUT", &quoted));
            let Some(said) = run(words, &program) else { continue };
            languages += 1;
            assert_eq!(&said, expected, "{language}: {case}");
        }
    }
    assert!(languages >= 6, "Python and Node are part of the set-up");
}
