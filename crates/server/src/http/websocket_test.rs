//! The page at `/websocket-test`: tries every way in from a browser.
//!
//! It is written in `web/websocket-test` and built into one file, which stands beside this one, so that nobody needs
//! Node to build the server.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;

use super::start_page::{self, policy};
use crate::hub::Hub;

/// The page; what differs between servers stands in it as `{{NAME}}`.
const PAGE: &str = include_str!("websocket_test.html");

/// The page speaks to the server that it came from, and to nobody else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy(PAGE, "'self'"));

/// Shows the page.
pub async fn page(State(hub): State<Arc<Hub>>) -> Response {
    start_page::shown(PAGE, &hub, POLICY.clone())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use sha2::{Digest as _, Sha256};

    use super::super::start_page::between;
    use super::*;

    /// Where its parts are.
    fn sources() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/websocket-test")
    }

    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { below(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }

    /// The same number that `build.mjs` makes.
    fn fingerprint() -> String {
        let root = sources();
        let mut files = vec![root.join("build.mjs"), root.join("package-lock.json")];
        below(&root.join("src"), &mut files);
        let name =
            |file: &PathBuf| file.strip_prefix(sources()).unwrap().to_str().unwrap().replace('\\', "/");
        files.sort_by_key(name);
        let mut whole = Sha256::new();
        for file in &files {
            let text = fs::read(file).unwrap();
            whole.update(format!("{}\n{}\n", name(file), text.len()));
            whole.update(text);
        }
        whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_page_was_built_of_the_sources_that_are_there() {
        let built = format!("data-sources=\"{}\"", fingerprint());
        assert!(PAGE.contains(&built), "the page is stale; run `make pages`, and commit what it writes");
    }

    #[test]
    fn nothing_in_the_page_comes_from_elsewhere() {
        for word in ["src=", "@import", "url(", "innerHTML", "eval("] {
            assert!(!PAGE.contains(word), "{word}");
        }
        assert!(!between(PAGE, "script").is_empty() && !between(PAGE, "style").is_empty());
        // What is filled in must not change what the policy's hashes cover.
        assert!(!between(PAGE, "script").contains("{{") && !between(PAGE, "style").contains("{{"));
        assert_eq!(PAGE.matches("<script").count(), 1);
    }
}
