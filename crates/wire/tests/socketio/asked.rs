//! What requests want, with the exact errors that clients compare.

use deskbell_wire::engineio::answer::{Answer, CACHE, takes};
use deskbell_wire::engineio::asked::{Asked, Fault, Transport, Wish, ask, is_engineio};
use deskbell_wire::engineio::open::Open;
use deskbell_wire::engineio::{Sid, Timing};

fn sid() -> Sid {
    Sid::from_random(*b"sixteen bytes ok")
}

fn wish(method: &str, query: &str, upgrade: bool) -> Result<Wish, Fault> {
    ask(method, &query.replace("SID", &sid().to_text()), upgrade).map(|asked| asked.wish)
}

#[test]
fn requests_are_understood_in_the_order_that_clients_know() {
    let poll = "EIO=4&transport=polling";
    for (method, query, upgrade, expected) in [
        ("GET", poll, false, Ok(Wish::Open(Transport::Polling))),
        ("GET", "token=a%20b&t=Px1&transport=polling&EIO=4", false, Ok(Wish::Open(Transport::Polling))),
        ("GET", "EIO=4&transport=websocket", true, Ok(Wish::Open(Transport::WebSocket))),
        ("GET", "EIO=4&transport=polling&sid=SID", false, Ok(Wish::Poll(sid()))),
        ("POST", "EIO=4&transport=polling&sid=SID", false, Ok(Wish::Post(sid()))),
        ("GET", "EIO=4&transport=websocket&sid=SID", true, Ok(Wish::Upgrade(sid()))),
        // Transport first, whatever else is wrong.
        ("POST", "EIO=3&transport=carrier-pigeon&sid=x", false, Err(Fault::TransportUnknown)),
        ("GET", "EIO=4", false, Err(Fault::TransportUnknown)),
        ("GET", "", false, Err(Fault::TransportUnknown)),
        ("GET", "EIO=4&transport=POLLING", false, Err(Fault::TransportUnknown)),
        // Then the session.
        ("DELETE", "EIO=3&transport=polling&sid=x", false, Err(Fault::SessionUnknown)),
        ("POST", "EIO=4&transport=polling", false, Err(Fault::HandshakeMethod)),
        ("POST", "EIO=3&transport=websocket", false, Err(Fault::HandshakeMethod)),
        ("GET", "EIO=4&transport=websocket", false, Err(Fault::BadRequest)),
        ("GET", "EIO=4&transport=polling", true, Err(Fault::BadRequest)),
        ("GET", "EIO=4&transport=websocket&sid=SID", false, Err(Fault::BadRequest)),
        ("GET", "EIO=4&transport=polling&sid=SID", true, Err(Fault::BadRequest)),
        ("PUT", "EIO=4&transport=polling&sid=SID", false, Err(Fault::BadRequest)),
        // The version last.
        ("GET", "EIO=3&transport=polling", false, Err(Fault::Version)),
        ("GET", "transport=polling", false, Err(Fault::Version)),
        ("GET", "EIO=4&EIO=3&transport=polling", false, Err(Fault::BadRequest)),
        ("GET", "EIO=4&transport=polling&sid=SID&sid=SID", false, Err(Fault::BadRequest)),
    ] {
        assert_eq!(wish(method, query, upgrade), expected, "{method} {query} {upgrade}");
    }
}

/// A name that could not be read once opened a second session in another server.
#[test]
fn a_malformed_session_name_opens_no_session() {
    for bad in [
        "",
        "x",
        "%00",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAA%C3%A9",
        "../../../etc/passwd-22",
    ] {
        let query = format!("EIO=4&transport=polling&sid={bad}");
        assert_eq!(ask("GET", &query, false), Err(Fault::SessionUnknown), "{bad}");
    }
}

#[test]
fn only_a_stated_version_makes_it_engineio() {
    assert!(is_engineio("a=b&EIO=4"));
    assert!(is_engineio("EIO=3&transport=x"));
    assert!(!is_engineio("eio=4&transport=polling"));
    assert!(!is_engineio("x=EIO"));
}

#[test]
fn a_client_without_bytes_says_so() {
    let base64 = |query: &str| ask("GET", &format!("EIO=4&transport=polling&{query}"), false).unwrap().base64;
    assert!(base64("b64=1"));
    assert!(!base64("b64="));
    assert!(!base64("t=1"));
}

#[test]
fn errors_have_a_number_and_not_its_text() {
    for (place, fault) in Fault::ALL.into_iter().enumerate() {
        let body: serde_json::Value = serde_json::from_str(fault.body()).unwrap();
        assert_eq!(body["code"], serde_json::json!(place), "{fault:?}");
        assert_eq!(fault.status(), if fault == Fault::Forbidden { 403 } else { 400 });
    }
    assert_eq!(Fault::SessionUnknown.body(), r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[test]
fn the_first_packet_has_exactly_what_clients_look_for() {
    let text = |upgrades| {
        let open = Open { sid: sid(), upgrades, timing: Timing::default(), max_payload: 65_536 };
        let mut out = Vec::new();
        open.write_into(&mut out);
        String::from_utf8(out).unwrap()
    };
    let rest = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}"#;
    assert_eq!(text(true), format!(r#"0{{"sid":"{}","upgrades":["websocket"],{rest}"#, sid().to_text()));
    assert_eq!(text(false), format!(r#"0{{"sid":"{}","upgrades":[],{rest}"#, sid().to_text()));
    assert!(!format!("{:?}", Asked { wish: Wish::Poll(sid()), base64: false }).contains(&sid().to_text()));
}

#[test]
fn answers_are_what_they_always_were() {
    let shown =
        |answer: Answer| (answer.status, answer.kind, String::from_utf8(answer.body.into_owned()).unwrap());
    assert_eq!(shown(Answer::posted()), (200, "text/html", "ok".to_owned()));
    let poll = Answer::poll(b"4a".to_vec());
    assert_eq!(shown(poll), (200, "text/plain; charset=UTF-8", "4a".to_owned()));
    for fault in Fault::ALL {
        let expected = (fault.status(), "application/json", fault.body().to_owned());
        assert_eq!(shown(Answer::fault(fault)), expected);
    }
    let (status, kind, body) = shown(Answer::too_large());
    assert_eq!((status, kind), (413, "application/json"));
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    assert_eq!(CACHE, "no-store");
    assert!(!takes(Some("Application/Octet-Stream; x=y")));
}
