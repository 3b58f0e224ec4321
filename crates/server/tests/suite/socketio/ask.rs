//! A backend asks clients something, and hears what they answer.

use serde_json::{Value, json};

use super::Client;
use crate::harness::{Server, Start, request};

/// Asks in another thread, because the answer comes when the clients have given theirs.
fn asked(server: &Server, path: &str, body: &Value, clients: impl FnOnce()) -> Value {
    std::thread::scope(|scope| {
        let question = scope.spawn(|| {
            let answer = server.api("POST", path, Some(body));
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        });
        clients();
        question.join().unwrap()
    })
}

/// The number under which the next packet wants an answer.
fn number(client: &mut Client, event: &str) -> String {
    let text = client.text();
    let (number, rest) = text.strip_prefix("42").unwrap().split_once('[').unwrap();
    assert_eq!(format!("[{rest}"), event);
    assert!(!number.is_empty(), "no answer is wanted");
    number.to_owned()
}

#[test]
fn everybody_in_a_room_is_asked_and_answers_from_the_number_nought_on() {
    let server = Server::dev();
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    let mut outside = Client::connect(&server);
    one.join("lobby");
    other.join("lobby");
    let question = json!({"channel": "lobby", "name": "ready", "data": {"at": 10}});
    let outcome = asked(&server, "/v1/ask", &question, || {
        for client in [&mut one, &mut other] {
            assert_eq!(number(client, r#"["ready",{"at":10}]"#), "0");
        }
        one.send("430[true,{\"from\":\"one\"}]");
        other.send("430[]");
        // A second answer, and one to a question that nobody has asked, are heard by nobody.
        one.send("430[false]");
        one.send("4399[1]");
    });
    assert_eq!((&outcome["asked"], &outcome["unasked"]), (&json!(2), &json!(0)));
    let mut answers = outcome["answers"].as_array().unwrap().clone();
    answers.sort_by_key(|answer| answer["args"].to_string().len());
    let said =
        |client: &Client, args: Value| json!({"session": client.sid(), "namespace": "/", "args": args});
    assert_eq!(answers, [said(&other, json!([])), said(&one, json!([true, {"from": "one"}]))]);
    outside.expect_nothing();
    one.expect_nothing();
}

#[test]
fn one_socket_is_asked_by_its_name_before_anything_was_told_there() {
    let server = Server::dev();
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    let question = json!({"channel": one.sid(), "name": "who", "data": null});
    let outcome = asked(&server, "/v1/ask", &question, || {
        let number = number(&mut one, r#"["who",null]"#);
        one.send(&format!("43{number}[\"me\"]"));
    });
    assert_eq!(outcome["answers"][0]["args"], json!(["me"]));
    other.expect_nothing();
}

/// Elsewhere such a question was remembered for ever.
#[test]
fn whoever_does_not_answer_or_goes_is_missing_and_nothing_is_left_of_it() {
    let server = Server::dev();
    let (mut silent, mut leaver) = (Client::connect(&server), Client::connect(&server));
    silent.join("lobby");
    leaver.join("lobby");
    let question = json!({"channel": "lobby", "name": "q", "data": null});
    let mut late = String::new();
    let outcome = asked(&server, "/v1/ask?wait=1", &question, || {
        late = number(&mut silent, r#"["q",null]"#);
        number(&mut leaver, r#"["q",null]"#);
        leaver.cut();
    });
    assert_eq!(outcome, json!({"asked": 2, "unasked": 0, "answers": []}));
    silent.send(&format!("43{late}[\"late\"]"));
    silent.expect_nothing();
    // Whoever has all of its places taken by old questions is asked anew all the same.
    for _ in 0..10 {
        let outcome = asked(&server, "/v1/ask?wait=0", &question, || ());
        assert_eq!(outcome["asked"], 1);
        number(&mut silent, r#"["q",null]"#);
    }
    // Who goes away while it is asked ends the question before its time.
    let begun = std::time::Instant::now();
    let outcome = asked(&server, "/v1/ask?wait=30", &question, || {
        number(&mut silent, r#"["q",null]"#);
        silent.send("41");
    });
    assert_eq!(outcome["answers"], json!([]));
    let connect_time = deskbell_core::limits::CONNECT_TIME;
    assert!(begun.elapsed().as_millis() < u128::from(connect_time), "{:?}", begun.elapsed());
}

#[test]
fn each_namespace_answers_for_itself_and_whoever_is_excepted_is_not_asked() {
    let server = Server::dev();
    let (mut both, mut other) = (Client::connect(&server), Client::connect(&server));
    both.enter("/api/socket", &json!({}));
    both.join("lobby");
    assert_eq!(both.ask_in("/api/socket", "join_room", &json!("lobby")), json!({"success": true}));
    other.join("lobby");
    let question = json!({"channel": "lobby", "name": "q", "data": null, "except": other.sid()});
    let outcome = asked(&server, "/v1/ask", &question, || {
        let mut asked = [both.text(), both.text()];
        asked.sort_unstable();
        let [named, root] = asked.map(|text| text.split_once('[').unwrap().0.to_owned());
        // The last that was asked answers first.
        both.send(&format!("43{}[\"named\"]", &named[2..]));
        both.send(&format!("43{}[\"root\"]", &root[2..]));
    });
    let mut answers: Vec<(&str, &str)> = Vec::new();
    for answer in outcome["answers"].as_array().unwrap() {
        answers.push((answer["namespace"].as_str().unwrap(), answer["args"][0].as_str().unwrap()));
    }
    answers.sort_unstable();
    assert_eq!(answers, [("/", "root"), ("/api/socket", "named")]);
    other.expect_nothing();
}

#[test]
fn only_a_backend_asks_and_only_what_can_be_asked() {
    let server = Server::start(Start::default());
    let good = json!({"channel": "lobby", "name": "q", "data": null});
    let answer = server.api("POST", "/v1/ask", Some(&good));
    assert_eq!(answer.json(), json!({"asked": 0, "unasked": 0, "answers": []}));
    for (field, value) in [("name", json!("disconnect")), ("id", json!("x")), ("key", json!("x"))] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(server.api("POST", "/v1/ask", Some(&bad)).json()["code"], "bad_field", "{field}");
    }
    let several = json!({"events": [good]});
    assert_eq!(server.api("POST", "/v1/ask", Some(&several)).json()["code"], "bad_field");
    assert_eq!(server.api("POST", "/v1/ask?wait=x", Some(&good)).json()["code"], "bad_field");
    assert_eq!(request(&server, "POST", "/v1/ask", &[], Some(&good.to_string())).status, 401);
}
