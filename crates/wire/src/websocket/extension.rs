//! The negotiation of `permessage-deflate`.

use crate::http_head::{Head, split_unquoted};

/// What we answer to an offer that we can take: no side keeps a window between messages.
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// The same for an offer that limits our window, which must be confirmed, to the one size that we have.
const ANSWER_WITH_WINDOW: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15";

/// The value for `Sec-WebSocket-Extensions` in the answer if one of the client's offers can be taken, or `None`
/// to go on without compression. The first such offer wins, for clients list them in the order they prefer.
///
/// Call this only where compression is wanted, and give the [`Decoder`](super::Decoder) the outcome.
pub fn negotiate_deflate(head: &Head<'_>) -> Option<&'static str> {
    head.list("sec-websocket-extensions").find_map(answer)
}

fn answer(offer: &str) -> Option<&'static str> {
    let (name, mut rest) = split_unquoted(offer, b';');
    if name.trim_ascii() != "permessage-deflate" {
        return None;
    }
    let mut seen = Vec::new();
    let mut answer = ANSWER;
    while !rest.is_empty() {
        let (parameter, behind) = split_unquoted(rest, b';');
        rest = behind;
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_ascii(), Some(unquoted(value.trim_ascii()))),
            None => (parameter.trim_ascii(), None),
        };
        // A parameter given twice, unknown or with a wrong value makes an offer that must be declined.
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            (
                "server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits",
                None,
            ) => {}
            // A smaller window on the client's side is no matter to us: ours is always the largest.
            ("client_max_window_bits", Some(bits)) if window_bits(bits).is_some() => {}
            // A smaller one on our side is what the compressor cannot do.
            ("server_max_window_bits", Some(bits)) if window_bits(bits) == Some(15) => {
                answer = ANSWER_WITH_WINDOW;
            }
            _ => return None,
        }
    }
    Some(answer)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value)
}

fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    // The grammar knows neither a sign nor a leading zero.
    value.starts_with(['1', '8', '9']).then_some(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::http_head::parse;

    fn negotiate(offers: &str) -> Option<&'static str> {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n");
        negotiate_deflate(&parse(text.as_bytes()).unwrap().unwrap())
    }

    #[test]
    fn offers_that_we_take() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=9;server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=\"15\"",
            "x-webkit-deflate-frame, permessage-deflate",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ] {
            assert_eq!(negotiate(offer), Some(ANSWER), "{offer}");
        }
        assert_eq!(negotiate("permessage-deflate; server_max_window_bits=15"), Some(ANSWER_WITH_WINDOW));
    }

    #[test]
    fn offers_that_we_decline() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; unheard_of",
            "permessage-deflate; =",
            "other; x=\"a, permessage-deflate, b\"",
        ] {
            assert_eq!(negotiate(offer), None, "{offer}");
        }
    }
}
