//! The page at `/`: is it up, what does it speak, where to go on, and a first event to see.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use sha2::{Digest as _, Sha256};

use crate::hub::Hub;

/// The page; what differs between servers stands in it as `{{NAME}}`.
const PAGE: &str = include_str!("start.html");

/// The page needs nothing but itself, and nothing but itself runs on it.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy(PAGE, "'self' ws: wss:"));

/// What a page of ours may do: run what stands in it, and connect to where it is told.
pub fn policy(page: &str, connect: &str) -> HeaderValue {
    let hash = |tag: &str| STANDARD.encode(Sha256::digest(between(page, tag)));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src {connect}; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style"),
    );
    HeaderValue::try_from(policy).expect("the policy is visible ASCII")
}

/// What stands in an element that has no attributes.
pub fn between<'a>(page: &'a str, tag: &str) -> &'a str {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = page.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inner.map_or("", |(inner, _)| inner)
}

/// Shows the page.
pub async fn page(State(hub): State<Arc<Hub>>) -> Response {
    shown(PAGE, &hub, POLICY.clone())
}

/// A page of ours as an answer.
pub fn shown(page: &str, hub: &Hub, policy: HeaderValue) -> Response {
    let key = hub.apps.first().map_or("", |app| app.key.as_str());
    let text = filled(page, key, hub.front.load().dev);
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn filled(page: &str, key: &str, dev: bool) -> String {
    page.replace("{{VERSION}}", env!("CARGO_PKG_VERSION"))
        .replace("{{MODE}}", if dev { "dev" } else { "normal" })
        .replace("{{DOCS}}", concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main"))
        .replace("{{KEY}}", &escaped(key))
}

/// A text as it can stand in HTML, also in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_page_comes_from_elsewhere() {
        for word in ["src=", "@import", "url(", "innerHTML"] {
            assert!(!PAGE.contains(word), "{word}");
        }
        // The empty icon keeps browsers from asking for one.
        assert_eq!(
            PAGE.matches("<link").count(),
            PAGE.matches("<link rel=\"icon\" href=\"data:,\">").count()
        );
        assert!(!between(PAGE, "script").is_empty() && !between(PAGE, "style").is_empty());
        // What is filled in must not change what the policy's hashes cover.
        assert!(!between(PAGE, "script").contains("{{") && !between(PAGE, "style").contains("{{"));
        assert_eq!(PAGE.matches("<script").count(), 1);
    }

    #[test]
    fn a_key_cannot_become_markup() {
        let page = filled(PAGE, "\"><script>x</script>&", false);
        assert!(page.contains("&quot;&gt;&lt;script&gt;x&lt;/script&gt;&amp;"));
        assert!(!page.contains("{{"), "everything is filled in");
    }

    #[test]
    fn development_mode_is_said() {
        assert!(filled(PAGE, "k", true).contains("data-mode=\"dev\""));
        assert!(filled(PAGE, "k", false).contains("data-mode=\"normal\""));
    }
}
