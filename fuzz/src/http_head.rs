//! Request heads: the end does not depend on what follows, a refusal stays one, and nothing smuggles a line.

use deskbell_wire::http_head::{Head, HeadError, MAX_HEAD, MAX_HEADER_LINES, parse};
use deskbell_wire::route::{Asked, route};

/// Any bytes that a connection could begin with.
pub fn check(data: &[u8]) {
    match parse(data) {
        Ok(Some(head)) => complete(data, &head),
        Ok(None) => assert!(data.len() < MAX_HEAD, "{} bytes and no verdict", data.len()),
        Err(error) => refused(data, error),
    }
}

fn complete(data: &[u8], head: &Head<'_>) {
    let length = head.len();
    assert!(length <= MAX_HEAD && length <= data.len(), "a head of {length} bytes");
    let again = parse(&data[..length]).expect("a head is one without what follows").expect("and complete");
    assert_eq!((again.method(), again.path(), again.query()), (head.method(), head.path(), head.query()));
    for cut in [length - 1, length / 2, length / 3] {
        assert!(
            matches!(parse(&data[..cut]), Ok(None)),
            "its first {cut} bytes are no longer the start of a head"
        );
    }
    assert!(head.headers().count() <= MAX_HEADER_LINES);
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && !name.contains([' ', ':', '\r', '\n', '\0']), "header name {name:?}");
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)), "header value {value:?}");
    }
    assert!(!head.path().contains([' ', '?', '#', '\r', '\n', '\0']), "path {:?}", head.path());
    assert!(!head.query().contains([' ', '#', '\r', '\n', '\0']), "query {:?}", head.query());
    head.query_pairs().for_each(drop);
    let _ = (
        head.cookie("deskbell_visitor"),
        head.list_has("connection", "upgrade"),
        head.is_websocket_upgrade(),
    );
    let _ = route(
        &Asked {
            method: head.method(),
            path: head.path(),
            query: head.query(),
            cookies: head.header("cookie"),
        },
        false,
    );
}

fn refused(data: &[u8], error: HeadError) {
    assert!((400..=505).contains(&error.status()) && error.sentence().ends_with('.'), "{error:?}");
    let mut longer = data.to_vec();
    longer.extend_from_slice(b"\r\n\r\n");
    assert!(parse(&longer).is_err(), "more bytes made a refused head good");
}
