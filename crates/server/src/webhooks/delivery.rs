//! One attempt: a signed request, and what the endpoint said.

use bytes::Bytes;
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::webhook::{Answer, Trouble};
use deskbell_wire::webhook::{self as format, Secret};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Request};
use http_body_util::Full;

use super::Hook;
use super::cargo::Cargo;
use crate::outbound::Broken;

/// Sends one event. Its signature is of this moment, its id that of every attempt.
pub(super) async fn attempt(hook: &Hook, secrets: &[Secret], cargo: &Cargo, now: Millis) -> Answer {
    let Ok(request) = request(hook, secrets, cargo, now) else {
        // An id that no header can carry cannot come out of the ledger.
        return Answer::Nothing(Trouble::BrokeOff);
    };
    match tokio::time::timeout(hook.timeout, hook.address.head(request)).await {
        Err(_) => Answer::Nothing(Trouble::TimedOut),
        Ok(Err(broken)) => Answer::Nothing(trouble(&broken)),
        Ok(Ok(head)) => {
            Answer::Status { status: head.status.as_u16(), retry_after: retry_after(&head.headers) }
        }
    }
}

fn request(
    hook: &Hook,
    secrets: &[Secret],
    cargo: &Cargo,
    now: Millis,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let timestamp = format::timestamp(now);
    hook.address
        .request(Method::POST)
        .header(CONTENT_TYPE, "application/json")
        .header(format::ID, &cargo.id)
        .header(format::TIMESTAMP, timestamp)
        .header(format::SIGNATURE, format::signatures(secrets, &cargo.id, timestamp, &cargo.body))
        .body(Full::new(cargo.body.clone()))
}

const fn trouble(broken: &Broken) -> Trouble {
    match broken {
        Broken::NoConnection(_) => Trouble::NoConnection,
        Broken::NoTrust(_) => Trouble::NoTrust,
        Broken::BrokeOff(_) | Broken::Body(_) => Trouble::BrokeOff,
    }
}

/// How long it asks to be left alone, in seconds; a date in its place is passed over.
fn retry_after(headers: &HeaderMap) -> Option<Millis> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_seconds_are_read() {
        for (text, expected) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("-1", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers), expected, "{text}");
        }
    }
}
