//! The presence of a group: who of a clinic is there.

use super::*;

const CLINIC: &str = r#"
[presence]
grace = "1s"
[[channels]]
pattern = "presence-clinic:*"
presence = true
[[access]]
pattern = "presence-clinic:*"
allow = ["subscribe", "presence"]
to = "role:clinic"
"#;

fn member(world: &Server, who: &str) -> Ws {
    let token = token(&json!({"sub": who, "roles": ["clinic"]}));
    let mut ws = Ws::open(world, &format!("/v1/ws?token={token}"));
    ws.subscribe("presence-clinic:7");
    ws
}

fn here(frame: &Value) -> Vec<String> {
    let members = frame["members"].as_array().unwrap_or_else(|| panic!("no members: {frame}"));
    let mut ids: Vec<String> =
        members.iter().map(|member| member["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn two_are_there_and_a_third_sees_them_when_it_comes() {
    let server = Server::start(Start::with(CLINIC));
    let enter = |ws: &mut Ws, name: &str| {
        let enter = json!({"type": "enter", "channel": "presence-clinic:7", "data": {"name": name}});
        assert_eq!(ws.ask(enter)["type"], "ok");
    };
    let (mut ann, mut bob) = (member(&server, "ann"), member(&server, "bob"));
    assert_eq!(here(&ann.expect("presence")), [""; 0]);
    assert_eq!(here(&bob.expect("presence")), [""; 0]);
    enter(&mut ann, "Dr. Ann");
    assert_eq!(here(&bob.expect("joined")), ["ann"]);
    enter(&mut bob, "Bob");
    assert_eq!(
        (here(&ann.expect("joined")), here(&ann.expect("joined"))),
        (vec!["ann".into()], vec!["bob".into()])
    );
    let mut late = member(&server, "cleo");
    assert_eq!(here(&late.expect("presence")), ["ann", "bob"]);
    enter(&mut late, "Cleo");
    assert_eq!(here(&ann.expect("joined")), ["cleo"]);
    late.cut();
    assert_eq!(here(&ann.expect("left")), ["cleo"]);
    // Whoever is not of the clinic sees nobody.
    let mut eve = Ws::open(&server, &format!("/v1/ws?token={}", user("eve")));
    assert_eq!(eve.ask(json!({"type": "subscribe", "channel": "presence-clinic:7"}))["code"], "denied");
    assert_eq!(eve.ask(json!({"type": "presence", "channel": "presence-clinic:7"}))["code"], "denied");
}

#[test]
fn who_of_the_clinic_is_there_is_seen_over_a_stream_and_a_poll_too() {
    let server = Server::start(Start::with(CLINIC));
    let mut ann = member(&server, "ann");
    ann.expect("presence");
    let enter = |ws: &mut Ws, name: &str| {
        let enter = json!({"type": "enter", "channel": "presence-clinic:7", "data": {"name": name}});
        assert_eq!(ws.ask(enter)["type"], "ok");
    };
    enter(&mut ann, "Dr. Ann");
    let token = token(&json!({"sub": "bob", "roles": ["clinic"]}));
    let query = format!("channels=presence-clinic:7&token={token}");
    let mut sse = Sse::open(&server, &format!("/v1/stream?{query}"), None);
    sse.expect("welcome");
    let mut next = || loop {
        let frame = sse.next().expect("the stream goes on").data;
        if frame["type"] != "subscribed" {
            break frame;
        }
    };
    assert_eq!(here(&next()), ["ann"]);
    let cursor = get(&server, &format!("/v1/poll?{query}")).json()["cursor"].as_str().unwrap().to_owned();
    let mut cleo = member(&server, "cleo");
    enter(&mut cleo, "Cleo");
    let joined = next();
    assert_eq!((&joined["type"], here(&joined)), (&json!("joined"), vec!["cleo".to_owned()]));
    let polled = get(&server, &format!("/v1/poll?{query}&cursor={cursor}")).json();
    assert_eq!(
        (&polled["events"][0]["type"], here(&polled["events"][0])),
        (&json!("joined"), vec!["cleo".to_owned()])
    );
    for path in ["/v1/stream", "/v1/poll"] {
        let refused = get(&server, &format!("{path}?channels=presence-clinic:7&token={}", user("eve")));
        assert_eq!(refused.status, 403, "{path}");
    }
}
