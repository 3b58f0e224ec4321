//! Refusals as HTTP answers: `application/problem+json` (RFC 9457) with our stable code.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Refused;
use deskbell_wire::ledger;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

/// Seconds after which a client should try again when nothing better is known.
const AGAIN: Millis = 2 * SECOND;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    refusal: Refusal,
    retry_in: Option<Millis>,
    about: Map<String, Value>,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub fn new(code: Code, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Refusal::new(code, detail).into()
    }

    /// Waiting helps: so long.
    pub fn retry_in(mut self, wait: Millis) -> Self {
        self.retry_in = Some(wait);
        self
    }

    /// Names what the problem is about in a member of its own, for programs.
    pub fn about(mut self, member: &'static str, what: impl Into<Value>) -> Self {
        self.about.insert(member.to_owned(), what.into());
        self
    }

    /// The refusal.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    fn body(&self, status: StatusCode) -> String {
        let mut members = Map::new();
        members.insert("type".to_owned(), "about:blank".into());
        members.insert("title".to_owned(), status.canonical_reason().unwrap_or("Refused").into());
        members.insert("status".to_owned(), status.as_u16().into());
        members.insert("code".to_owned(), self.refusal.code.as_str().into());
        members.insert("detail".to_owned(), (*self.refusal.message).into());
        members.extend(self.about.clone());
        Value::Object(members).to_string()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        // More of something than a limit allows does not change by waiting; these do.
        let passes = matches!(refusal.code, Code::RateLimited | Code::Unavailable | Code::Draining);
        Self { refusal, retry_in: passes.then_some(AGAIN), about: Map::new() }
    }
}

impl From<Box<Refused>> for Problem {
    fn from(refused: Box<Refused>) -> Self {
        let about = ledger::members_of_refusal(&refused);
        Self { about, ..refused.refusal.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.refusal.code;
        let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = Response::new(Body::from(self.body(status)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_in {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.div_ceil(SECOND).max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For whoever counts refusals on the way out.
        response.extensions_mut().insert(code);
        response
    }
}

/// The refusal of a field, which it names.
pub(super) fn bad_field(name: &str, rule: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{name}` {rule}"))
}

/// A client's own words in a refusal: short, and with nothing in them that could break a log line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status_and_only_passing_ones_a_time() {
        for code in Code::ALL {
            let response = Problem::new(code, "no").into_response();
            assert_eq!(response.status().as_u16(), code.http_status(), "{code:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let passes = matches!(code, Code::RateLimited | Code::Unavailable | Code::Draining);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), passes, "{code:?}");
            assert_eq!(response.extensions().get::<Code>(), Some(&code));
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_as_none() {
        for (wait, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let response = Problem::new(Code::RateLimited, "slow down").retry_in(wait).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], told, "{wait} ms");
        }
    }

    #[test]
    fn a_problem_says_what_it_is_about() {
        let problem = Problem::new(Code::Denied, "no \"entry\"").about("channel", "staff");
        let body: Value = serde_json::from_str(&problem.body(StatusCode::FORBIDDEN)).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Forbidden", "status": 403, "code": "denied",
            "detail": "no \"entry\"", "channel": "staff",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn foreign_words_are_cut_and_escaped() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(50)), "x".repeat(40) + "…");
    }
}
