//! The HTTP client reads every framing and refuses what is broken, with a sentence.

use std::io::Read as _;

use super::super::CliError;
use super::super::connect::Url;
use super::super::http_client::{Request, in_query, send};
use super::{Answering, answer};

/// The body of an answer, or the sentence about it.
fn fetch(raw: &str) -> Result<String, String> {
    let server = Answering::with(vec![raw.to_owned()]);
    let url = Url::parse(&server.url()).unwrap();
    let fetched = send(&url, &Request::get("/x")).and_then(|response| response.good(&url));
    server.requests();
    fetched.map_err(|error| match error {
        CliError::Failed(sentence) | CliError::Usage(sentence) => sentence.replace(&url.to_string(), "URL"),
        CliError::Closed => "closed".to_owned(),
    })
}

#[test]
fn every_framing_of_a_body_is_read() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", "hello"),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
        ("HTTP/1.0 200 OK\ncontent-length: 2\n\nok", "ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, chunked.\r\n0\r\n\r\n",
            "hello, chunked.",
        ),
    ];
    for (raw, body) in cases {
        assert_eq!(fetch(raw).as_deref(), Ok(body), "{raw}");
    }
}

#[test]
fn a_broken_answer_is_an_error_and_never_a_part_of_one() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let cases = [
        ("", "URL gave no answer: the head of the answer is cut short or too long"),
        ("HTTP/1.1 200 OK\r\nX: y", "URL gave no answer: the head of the answer is cut short or too long"),
        (long.as_str(), "URL gave no answer: the head of the answer is cut short or too long"),
        ("SSH-2.0-x\r\n\r\n", "URL gave no answer: it speaks no HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "URL gave no answer: a header of the answer has no colon"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "URL gave no answer: a wrong Content-Length"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            "the answer broke off: the connection ended in the middle of the answer",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
            "the answer broke off: a chunk of the answer has no size",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
            "the answer broke off: a chunk of the answer is longer than it says",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "the answer broke off: a chunk of the answer has a wrong size",
        ),
    ];
    for (raw, sentence) in cases {
        assert_eq!(fetch(raw).unwrap_err(), sentence);
    }
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let problem = r#"{"code":"rate_limited","title":"Too many","detail":"Wait 3 s."}"#;
    assert_eq!(
        fetch(&answer("429 Too Many", problem)).unwrap_err(),
        "URL refused: 429: rate_limited: Wait 3 s."
    );
    assert_eq!(
        fetch(&answer("401 No", "{}")).unwrap_err(),
        "URL refused: 401; give the app's secret with --secret"
    );
    assert_eq!(fetch(&answer("502 Bad", "<html>")).unwrap_err(), "URL refused: 502");
    let moved = "HTTP/1.1 301 Moved\r\nLocation: https://a.example/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(fetch(moved).unwrap_err(), "URL sends on to https://a.example/; give that as --url");
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let huge = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(8 * 1024 * 1024 + 10));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().unwrap();
        super::read_request(&mut stream);
        // The client hangs up before the end, so the write may fail.
        let _ = stream.write_all(huge.as_bytes());
        let _ = stream.read(&mut [0]);
    });
    let Err(CliError::Failed(sentence)) = send(&url, &Request::get("/")).unwrap().text() else {
        panic!("read it all")
    };
    assert_eq!(sentence, "the answer is larger than 8MiB");
    server.join().unwrap();
}

#[test]
fn a_header_cannot_be_smuggled_in() {
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    let refused = send(&url, &Request::get("/").with_secret("a\r\nX-Evil: 1"));
    assert!(matches!(refused, Err(CliError::Usage(_))));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{gone}")).unwrap();
    let Err(CliError::Failed(sentence)) = send(&url, &Request::get("/")) else { panic!("somebody answers") };
    assert!(sentence.starts_with(&format!("cannot reach http://{gone}: ")), "{sentence}");
}

#[test]
fn a_name_is_written_so_that_it_can_stand_in_a_query() {
    assert_eq!(in_query("a-b_c.1~*"), "a-b_c.1~*");
    assert_eq!(in_query("a,b;c=d&e#f@g h"), "a%2Cb%3Bc%3Dd%26e%23f%40g%20h");
}
