//! What the head parser accepts, refuses and waits for.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const BROWSER: &[u8] = b"GET /app/k%20y?protocol=7&v=a+b HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
Connection: keep-alive, Upgrade\r\nCookie: a=1; session=\"x=y\"; b=\xe9\r\ncookie: later=%41\r\nX-Empty:\r\n\r\nbody";

fn refusal(bytes: &[u8]) -> HeadError {
    parse(bytes).unwrap_err()
}

fn request(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").into_bytes()
}

#[test]
fn a_browsers_head_is_read_in_place() {
    let head = parse(BROWSER).unwrap().unwrap();
    assert_eq!((head.method(), head.path(), head.query()), ("GET", "/app/k%20y", "protocol=7&v=a+b"));
    assert_eq!((head.version(), head.len()), (Version::Http11, BROWSER.len() - 4));
    assert_eq!(head.header("HOST"), Some("example.org"));
    assert_eq!(head.header("x-empty"), Some(""));
    assert_eq!(head.header("x-none"), None);
    assert_eq!(head.headers().count(), 6);
    assert_eq!(head.count("cookie"), 2);
    assert!(head.is_websocket_upgrade());
    assert!(head.list_has("connection", "upgrade") && !head.list_has("connection", "keep"));
}

#[test]
fn cookies_are_found_over_all_lines_and_beside_foreign_bytes() {
    let head = parse(BROWSER).unwrap().unwrap();
    assert_eq!(head.cookie("a"), Some("1"));
    assert_eq!(head.cookie("session"), Some("x=y"));
    assert_eq!(head.cookie("later").map(percent_decode).as_deref(), Some("A"));
    assert_eq!(head.cookie("b"), None, "its value is not UTF-8");
    assert_eq!(head.cookie("sess"), None);
}

#[test]
fn a_head_is_waited_for_byte_by_byte() {
    let end = BROWSER.len() - 4;
    for cut in 0..end {
        assert_eq!(parse(&BROWSER[..cut]), Ok(None), "at {cut}");
    }
    assert!(parse(&BROWSER[..end]).unwrap().is_some());
}

#[test]
fn targets_in_every_form() {
    let target = |line: &str| {
        let bytes = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
        parse(bytes.as_bytes()).map(|head| {
            let head = head.unwrap();
            (head.path().to_owned(), head.query().to_owned())
        })
    };
    let is = |path: &str, query: &str| Ok((path.to_owned(), query.to_owned()));
    assert_eq!(target("GET /a?b?c"), is("/a", "b?c"));
    assert_eq!(target("GET http://h:1/a?b"), is("/a", "b"));
    assert_eq!(target("GET WSS://h?b"), is("/", "b"));
    assert_eq!(target("GET http://h"), is("/", ""));
    assert_eq!(target("OPTIONS *"), is("*", ""));
    assert_eq!(target("GET /jürgen"), is("/jürgen", ""));
    for wrong in ["GET *", "GET a", "GET ftp://h/", "GET /a#b", "GET /\u{1}", "GET "] {
        assert_eq!(target(wrong), Err(HeadError::Target), "{wrong}");
    }
}

#[test]
fn each_mistake_has_its_refusal() {
    let cases: [(&[u8], HeadError); 15] = [
        (b"GET / HTTP/1.1\nHost: h\r\n\r\n", HeadError::BareLineFeed),
        (b"GET / HTTP/1.1\r\nHost: h\n\n", HeadError::BareLineFeed),
        (b"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::RequestLine),
        (b"GET /\r\nHost: h\r\n\r\n", HeadError::RequestLine),
        (b"G\"T / HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::RequestLine),
        (b"GET / HTTP/x\r\nHost: h\r\n\r\n", HeadError::RequestLine),
        (b"\x16\x03\x01\x02", HeadError::RequestLine),
        (b"PRI * HTTP/2.0\r\n\r\n", HeadError::Version),
        (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::Method),
        (b"get / HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::Method),
        (b"GET / HTTP/1.1\r\n\r\n", HeadError::Host),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", HeadError::Host),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", HeadError::HeaderLine),
        (b"GET / HTTP/1.1\r\nHost : a\r\n", HeadError::HeaderLine),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n", HeadError::HeaderLine),
    ];
    for (bytes, error) in cases {
        assert_eq!(refusal(bytes), error, "{}", String::from_utf8_lossy(bytes));
        assert!(matches!(error.status(), 400 | 501 | 505));
    }
    assert!(parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().is_some(), "HTTP/1.0 needs no Host");
    assert!(parse(b"\r\nGET / HTTP/1.0\r\n\r\n").unwrap().is_some_and(|head| head.len() == 20));
}

#[test]
fn every_bound_holds_also_before_the_end_has_arrived() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(MAX_REQUEST_LINE));
    assert_eq!(refusal(long.as_bytes()).status(), 414);
    assert_eq!(refusal(&long.as_bytes()[..=MAX_REQUEST_LINE]).status(), 414);

    let fields = |count: usize| request(&format!("Host: h{}", "\r\na: b".repeat(count - 1)));
    assert!(parse(&fields(MAX_HEADER_LINES)).unwrap().is_some());
    assert_eq!(refusal(&fields(MAX_HEADER_LINES + 1)), HeadError::TooManyHeaders);

    let frame = request("Host: h\r\na: ").len();
    let fit = request(&format!("Host: h\r\na: {}", "x".repeat(MAX_HEAD - frame)));
    assert_eq!(fit.len(), MAX_HEAD);
    assert!(parse(&fit).unwrap().is_some());
    assert_eq!(parse(&fit[..MAX_HEAD - 1]), Ok(None));
    let over = request(&format!("Host: h\r\na: {}", "x".repeat(MAX_HEAD - frame + 1)));
    assert_eq!(refusal(&over).status(), 431);
    assert_eq!(refusal(&over[..MAX_HEAD]).status(), 431);
}

#[test]
fn lists_split_at_commas_outside_quotes_and_over_lines() {
    let bytes = request("Host: h\r\nA: one,, two ; x=\"p, q\\\", r\"\r\nB: no\r\na:three");
    let head = parse(&bytes).unwrap().unwrap();
    let items: Vec<_> = head.list("a").collect();
    assert_eq!(items, ["one", "two ; x=\"p, q\\\", r\"", "three"]);
}

#[test]
fn queries_decode_as_browsers_write_them() {
    let pairs: Vec<_> =
        query_pairs("email=a%40b.c&&name=J%C3%bc+r&flag&=v&bad=%4&worse=%zz%ff&x=1=2").collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    let expected = [
        ("email", "a@b.c"),
        ("name", "Jü r"),
        ("flag", ""),
        ("", "v"),
        ("bad", "%4"),
        ("worse", "%zz\u{fffd}"),
        ("x", "1=2"),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(percent_decode("a+b%2B"), "a+b+");
}

proptest! {
    #[test]
    fn whatever_comes_is_an_answer_within_the_bound(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut request = b"GET /?".to_vec();
        request.extend(&bytes);
        for input in [&bytes, &request] {
            if let Ok(Some(head)) = parse(input) {
                prop_assert!(head.len() <= input.len());
                prop_assert!(head.query_pairs().count() <= input.len());
            }
        }
    }

    #[test]
    fn an_answer_does_not_depend_on_what_follows(tail in prop::collection::vec(any::<u8>(), 0..64), cut in 0..BROWSER.len()) {
        let mut bytes = BROWSER.to_vec();
        bytes.extend(&tail);
        prop_assert_eq!(parse(&bytes).unwrap().unwrap(), parse(BROWSER).unwrap().unwrap());
        // A prefix that is refused stays refused, however it goes on.
        let mut broken = BROWSER[..cut].to_vec();
        broken.extend(&tail);
        if let Err(error) = parse(&broken) {
            broken.extend(b"\r\n\r\n");
            prop_assert_eq!(parse(&broken).unwrap_err(), error);
        }
    }
}

#[test]
fn the_bound_of_a_head_can_be_set() {
    let head = request(&format!("Host: h\r\na: {}", "x".repeat(20_000)));
    assert_eq!(refusal(&head), HeadError::HeadTooLong);
    assert!(parse_within(&head, head.len()).unwrap().is_some());
    assert_eq!(parse_within(&head, head.len() - 1), Err(HeadError::HeadTooLong));
}

#[test]
fn the_length_of_a_body_is_said_once() {
    for twice in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        assert_eq!(refusal(&request(&format!("Host: h\r\n{twice}"))), HeadError::BodyLength, "{twice}");
    }
    for once in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        assert!(parse(&request(&format!("Host: h\r\n{once}"))).unwrap().is_some(), "{once}");
    }
}
