//! A telemedicine clinic on Laravel and Echo: its channels, with one prefix and with two, show what happens in the
//! ledger in the names that its screens listen to.

use super::*;

const HOUR: u64 = 3_600_000;

/// A clinic with one doctor.
struct Clinic {
    server: Server,
    day: u64,
}

impl Clinic {
    fn start(config: &str) -> Self {
        let clinic = Self { server: Server::start(Start::with(config)), day: 0 };
        let made = clinic.site("PUT", "/v1/resources/dr-3", &json!({"provider": "3", "capacity": 9}));
        let now = made["now"].as_u64().unwrap();
        Self { day: now / (24 * HOUR) * 24 * HOUR + 72 * HOUR, ..clinic }
    }

    #[track_caller]
    fn site(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.server.api(method, path, Some(body));
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// A patient books; gives the booking's id.
    fn book(&self, patient: &str) -> String {
        let claims = json!([{"resource": "dr-3", "start": self.day, "end": self.day + HOUR}]);
        let booked = self.site("POST", "/v1/bookings", &json!({"claims": claims, "holder": patient}));
        booked["reservation"]["id"].as_str().unwrap().to_owned()
    }

    /// A client that listens to one channel.
    fn listens(&self, channel: &str) -> Pusher {
        let mut client = Pusher::open(&self.server);
        assert_eq!(client.subscribe(channel), json!({}));
        client
    }
}

/// The names with one prefix and with two, of the same thing.
fn spelled(name: &str) -> [String; 2] {
    [format!("private-{name}"), format!("private-private-{name}")]
}

#[test]
fn a_booking_is_heard_by_patient_and_doctor_in_their_screens_words() {
    let clinic = Clinic::start("");
    let mut patients = spelled("appointments.7").map(|channel| clinic.listens(&channel));
    let mut doctors = spelled("appointments.doctor.3").map(|channel| clinic.listens(&channel));
    let mut stranger = clinic.listens("private-appointments.8");
    let id = clinic.book("7");
    for (client, channel) in patients.iter_mut().zip(spelled("appointments.7")) {
        for name in ["appointment-updated", "appointment-confirmed"] {
            let frame = client.expect(name);
            assert_eq!(frame["channel"], channel, "{frame}");
            assert_eq!((&frame["data"]["id"], &frame["data"]["action"]), (&json!(id), &json!("confirmed")));
        }
        client.expect_nothing();
    }
    for client in &mut doctors {
        for name in ["appointment-updated", "appointment-confirmed"] {
            assert_eq!(client.expect(name)["data"]["patient_id"], "7");
        }
        client.expect_nothing();
    }
    let mut screens = spelled(&format!("consultations.{id}")).map(|channel| clinic.listens(&channel));
    clinic.site("POST", &format!("/v1/bookings/{id}/start"), &json!({}));
    for client in &mut screens {
        assert_eq!(client.expect("consultation-status-changed")["data"]["status"], "active");
    }
    for client in patients.iter_mut().chain(&mut doctors) {
        assert_eq!(client.expect("appointment-updated")["data"]["status"], "active");
        // The doctor's channel names every action, the patient's those that its screen knows.
        client.send("pusher:ping", &json!({}));
        while client.next()["event"] != "pusher:pong" {}
    }
    // Whoever has left hears nothing more.
    for (client, channel) in patients.iter_mut().zip(spelled("appointments.7")) {
        client.send("pusher:unsubscribe", &json!({ "channel": channel }));
        client.expect_nothing();
    }
    clinic.site("POST", &format!("/v1/bookings/{id}/complete"), &json!({}));
    doctors[0].expect("appointment-updated");
    for client in patients.iter_mut().chain([&mut stranger]) {
        client.expect_nothing();
    }
}

#[test]
fn notifications_messages_and_typing_reach_the_channels_of_their_people() {
    let clinic = Clinic::start("");
    let mut bells = spelled("notifications.7").map(|channel| clinic.listens(&channel));
    let mut talks = spelled("conversation.81").map(|channel| clinic.listens(&channel));
    let mut own = spelled("user.9").map(|channel| clinic.listens(&channel));
    let bell = json!({"user": "7", "type": "appointment", "title": "Soon", "body": "At ten"});
    clinic.site("POST", "/v1/notifications", &bell);
    for client in &mut bells {
        let frame = client.expect("general-notification");
        assert_eq!((&frame["data"]["title"], &frame["data"]["message"]), (&json!("Soon"), &json!("At ten")));
        client.expect_nothing();
    }
    clinic.site("POST", "/v1/conversations", &json!({"id": "81", "members": ["7", "9"]}));
    let says = |who: &str, path: &str, body: &Value| {
        let bearer = format!("Bearer {}", user(who));
        let headers = [("Authorization", bearer.as_str())];
        let answer = request(&clinic.server, "POST", path, &headers, Some(&body.to_string()));
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    says("7", "/v1/conversations/81/typing", &json!({"typing": true}));
    says("7", "/v1/conversations/81/messages", &json!({"data": {"text": "Good morning"}}));
    for client in &mut talks {
        assert_eq!(client.expect("message-typing")["data"]["data"]["is_typing"], true);
        assert_eq!(client.expect("message-sent")["data"]["data"]["text"], "Good morning");
        client.expect_nothing();
    }
    for client in &mut own {
        assert_eq!(client.expect("message-sent")["data"]["conversation_id"], "81");
        client.expect_nothing();
    }
    says("9", "/v1/conversations/81/read", &json!({}));
    for client in talks.iter_mut().chain(&mut own) {
        let read = client.expect("message-read")["data"].clone();
        assert_eq!((&read["type"], &read["data"]["user"]), (&json!("read"), &json!("9")), "{read}");
        client.expect_nothing();
    }
}

#[test]
fn what_the_backend_publishes_under_either_spelling_reaches_the_screen_once() {
    let clinic = Clinic::start("");
    for published in spelled("notifications.7") {
        let mut clients = spelled("notifications.7").map(|channel| clinic.listens(&channel));
        trigger(&clinic.server, &published, "general-notification", &json!({"title": "Soon"}));
        for (client, channel) in clients.iter_mut().zip(spelled("notifications.7")) {
            let frame = client.expect("general-notification");
            assert_eq!((&frame["channel"], &frame["data"]["title"]), (&json!(channel), &json!("Soon")));
            client.expect_nothing();
        }
    }
    // What is called by one name in the backend, and by another on the screen, is told by both.
    let mut client = clinic.listens("private-private-appointments.7");
    let update = json!({"id": 5, "action": "cancelled", "status": "cancelled"});
    trigger(&clinic.server, "private-private-appointments.7", "appointment-updated", &update);
    assert_eq!(client.expect("appointment-updated")["data"], update);
    assert_eq!(client.expect("appointment-cancelled")["data"], update);
    client.expect_nothing();
    // Names that nothing is projected to are what they are: two of them.
    let mut other = clinic.listens("private-private-other.7");
    trigger(&clinic.server, "private-other.7", "e", &json!(1));
    other.expect_nothing();
}

#[test]
fn a_name_without_a_guard_shows_only_what_a_visitor_may_read() {
    let row = |channel: &str, from: &str| {
        format!(
            "[[projections]]\ndialect = \"pusher\"\nchannel = \"{channel}\"\nfrom = \"{from}\"\nevent = \"*\"\n\
             name = \"told\"\ndata = '{{\"name\":\"$event.name\"}}'\n"
        )
    };
    let clinic = Clinic::start(&(row("calendar.{id}", "provider:{id}") + &row("hours.{id}", "slots:{id}")));
    let (mut closed, mut open) = (clinic.listens("calendar.3"), clinic.listens("hours.dr-3"));
    let mut signed = clinic.listens("private-appointments.doctor.3");
    clinic.book("7");
    signed.expect("appointment-updated");
    assert_eq!(open.expect("told")["data"]["name"], "slots.delta");
    closed.expect_nothing();
}

#[test]
fn who_is_in_the_clinic_is_seen_with_either_spelling() {
    let clinic = Clinic::start("");
    for channel in ["presence-clinic.main", "presence-presence-clinic.main"] {
        let member = |id: u64| format!(r#"{{"user_id":{id},"user_info":{{"id":{id},"name":"Dr. {id}"}}}}"#);
        let (mut one, mut two) = (Pusher::open(&clinic.server), Pusher::open(&clinic.server));
        assert_eq!(one.enter(channel, &member(1))["presence"]["count"], 1);
        let there = two.enter(channel, &member(2));
        assert_eq!(there["presence"]["hash"]["1"]["name"], "Dr. 1");
        let came = one.expect("pusher_internal:member_added");
        assert_eq!(
            (&came["channel"], &came["data"]["user_info"]["name"]),
            (&json!(channel), &json!("Dr. 2"))
        );
        drop(two);
        assert_eq!(one.expect("pusher_internal:member_removed")["data"]["user_id"], "2");
    }
}

#[test]
fn the_clinics_bare_signature_is_taken_where_the_app_says_so_and_its_data_is_not() {
    let bare = |client: &Pusher, channel: &str| {
        let token = pusher_signature(&format!("{}:{channel}", client.socket));
        token.split_once(':').unwrap().1.to_owned()
    };
    let data = r#"{"user_id":"1","user_info":{"name":"the director"}}"#;
    let strict = Clinic::start("");
    let mut client = Pusher::open(&strict.server);
    let auth = bare(&client, "private-notifications.7");
    client.wish("private-notifications.7", &auth, Some(data));
    assert_eq!(client.refused("private-notifications.7"), (401, 4009));
    let lenient = Clinic::start("pusher.bare_signatures = true\n");
    let mut client = Pusher::open(&lenient.server);
    let auth = bare(&client, "private-notifications.7");
    client.wish("private-notifications.7", &auth, Some(data));
    client.succeeded("private-notifications.7");
    client.wish("private-notifications.8", &auth, None);
    assert_eq!(client.refused("private-notifications.8"), (401, 4009), "it is of another channel");
    // Data that no signature covers makes nobody a member.
    let auth = bare(&client, "presence-clinic.main");
    client.wish("presence-clinic.main", &auth, Some(data));
    assert_eq!(client.refused("presence-clinic.main").1, 4301);
    client.sign_in(r#"{"id":"7"}"#);
    client.expect("pusher:signin_success");
    client.wish("presence-clinic.main", &auth, Some(data));
    assert_eq!(client.succeeded("presence-clinic.main")["presence"]["ids"], json!(["7"]));
}

#[test]
fn bare_signatures_are_taken_by_the_app_alone_that_says_so() {
    let second = |own: &str| {
        format!(
            "[[apps]]\nid = 1002\nkey = \"second\"\nsecret = \"{SECRET}\"\npusher_bare_signatures = {own}\n"
        )
    };
    let channel = "private-notifications.7";
    for (config, first_takes) in
        [(second("true"), false), (format!("pusher.bare_signatures = true\n{}", second("false")), true)]
    {
        let server = Server::start(Start::with(&config));
        for (path, takes) in [("/app/test-key", first_takes), ("/app/second", !first_takes)] {
            let mut ws = Pusher::knock(&server, path);
            let first = ws.next();
            let first: Value = serde_json::from_str(first["data"].as_str().unwrap()).unwrap();
            let token = pusher_signature(&format!("{}:{channel}", first["socket_id"].as_str().unwrap()));
            let auth = token.split_once(':').unwrap().1;
            ws.send(&json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}}));
            let word =
                if takes { "pusher_internal:subscription_succeeded" } else { "pusher:subscription_error" };
            assert_eq!(ws.next()["event"], word, "{path} of {config}");
        }
    }
}

#[test]
fn whoever_was_slow_finds_everything_in_its_own_words() {
    let clinic = Clinic::start("limit.backlog = \"64KiB\"\n");
    let mut client = Xhr::polling(&clinic.server, "1/slow");
    client.subscribe("private-private-notifications.7", None);
    let body = "x".repeat(1_000);
    for n in 0..200 {
        // Both ways in, while nobody takes anything out.
        if n % 2 == 0 {
            let bell = json!({"user": "7", "type": "t", "title": format!("{n}"), "body": body});
            clinic.site("POST", "/v1/notifications", &bell);
        } else {
            let told = json!({"title": format!("{n}"), "message": body});
            trigger(&clinic.server, "private-notifications.7", "general-notification", &told);
        }
    }
    let mut titles: Vec<u64> = (0..200)
        .map(|_| {
            let frame = client.expect("general-notification");
            assert_eq!(frame["channel"], "private-private-notifications.7");
            frame["data"]["title"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    client.send("pusher:ping", &json!({}));
    client.expect("pusher:pong");
    titles.sort_unstable();
    assert_eq!(titles, (0..200).collect::<Vec<u64>>());
}
