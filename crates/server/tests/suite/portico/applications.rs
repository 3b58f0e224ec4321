//! A session's applications that are not finished, from each of the three places.

use super::*;

fn ask(page: &mut Page) -> Value {
    page.send(&json!({"type": "get_partial_applications"}));
    page.expect("partial_applications_response")["data"].clone()
}

/// The site says that they have changed.
fn changed(redis: &Redis, session: &str) {
    let message = json!({"type": "update_partial_applications", "sessionId": session});
    assert_eq!(redis.publish("session_messages", &message.to_string()), 1);
}

fn server(redis: &Redis, config: &str) -> Server {
    let mut server = Server::start(Start::with(&format!("{config}{}", redis.config())));
    server.line_with("is heard");
    server
}

#[test]
fn holds_of_the_session_are_its_applications_and_every_change_of_them_is_pushed() {
    let server = Server::start(Start::default());
    let resource = json!({"capacity": 1, "time_zone": "Europe/Oslo"});
    assert!(server.api("PUT", "/v1/resources/resource:106", Some(&resource)).status < 300);
    let mut page = Page::open(&server, STRONG);
    let mut other = Page::open(&server, OTHER);
    assert_eq!(ask(&mut page)["count"], 0);
    let start = in_seconds(3_600) * 1_000;
    let claim = json!({"resource": "resource:106", "start": start, "end": start + 3_600_000});
    let hold =
        json!({"claims": [claim], "holder": format!("session_{STRONG}"), "meta": {"building_name": "Hall"}});
    let held = server.api("POST", "/v1/holds", Some(&hold)).json();
    let pushed = page.expect("partial_applications_response")["data"].clone();
    assert_eq!((&pushed["count"], &pushed["source"]), (&json!(1), &json!("server_push")), "{pushed}");
    let row = &pushed["applications"][0];
    assert_eq!((&row["status"], &row["building_name"]), (&json!("NEWPARTIAL1"), &json!("Hall")), "{row}");
    assert_eq!(row["resources"][0]["id"], 106);
    let answer = ask(&mut page);
    assert_eq!((&answer["count"], &answer["source"]), (&json!(1), &Value::Null));
    let id = held["reservation"]["id"].as_str().unwrap();
    let fence = json!({"fence": held["reservation"]["fence"]});
    assert_eq!(server.api("POST", &format!("/v1/holds/{id}/release"), Some(&fence)).status, 200);
    loop {
        // A change may be told more than once; the last one counts.
        if page.expect("partial_applications_response")["data"]["count"] == 0 {
            break;
        }
    }
    assert_eq!(ask(&mut other)["count"], 0);
    other.expect_nothing();
    let mut nobody = Page::open_at(&server, "/wss", "");
    assert_eq!(ask(&mut nobody)["message"], "No session found");
}

#[test]
fn a_query_of_the_sites_database_is_passed_through() {
    let database = postgres::shared().database();
    database.run(
        "CREATE TABLE bb_application (id int, status text, session_id text, name text);
         INSERT INTO bb_application VALUES (7, 'NEWPARTIAL1', '7h3s3ss10n0f4nn41234', 'Hall'),
            (8, 'NEW', '7h3s3ss10n0f4nn41234', 'other'), (9, 'NEWPARTIAL1', 'x', 'other')",
    );
    let query = "SELECT to_json(a) FROM bb_application a WHERE status = 'NEWPARTIAL1' AND session_id = $1 ORDER BY id";
    let redis = Redis::start();
    let config = format!(
        "portico.applications = \"postgres\"\nportico.database = \"{}\"\nportico.query = \"{query}\"\n",
        database.url()
    );
    let server = server(&redis, &config);
    let mut page = Page::open(&server, STRONG);
    let found = ask(&mut page);
    let row = json!({"id": 7, "status": "NEWPARTIAL1", "session_id": STRONG, "name": "Hall"});
    assert_eq!(found["applications"], json!([row]), "{found}");
    database.run("UPDATE bb_application SET status = 'NEWPARTIAL1' WHERE id = 8");
    changed(&redis, STRONG);
    assert_eq!(page.expect("partial_applications_response")["data"]["count"], 2);
}

#[test]
fn a_site_is_asked_and_its_answer_is_passed_through() {
    let (site, redis) = (Receiver::start(), Redis::start());
    site.say(Say::Json(200, json!({"applications": [{"id": 1, "anything": {"x": [1]}}]})));
    let config = format!(
        "portico.applications = \"callback\"\nportico.callback = \"{}\"\nportico.callback_secret = \"a secret of the site\"\n",
        site.url()
    );
    let server = server(&redis, &config);
    let mut page = Page::open(&server, STRONG);
    let found = ask(&mut page);
    assert_eq!(found["applications"], json!([{"id": 1, "anything": {"x": [1]}}]));
    let asked = site.next();
    assert_eq!(asked.json(), json!({"type": "partial_applications", "sessionId": STRONG}));
    assert!(asked.is_signed_with(b"a secret of the site"));
    // What cannot be reached is an answer, and is tried again where it is to be told.
    site.say(Say::Status(500, ""));
    let failed = ask(&mut page);
    assert_eq!((&failed["error"], &failed["message"]), (&json!(true), &json!("Database not connected")));
    site.next();
    changed(&redis, STRONG);
    site.next();
    site.say(Say::Json(200, json!([{"id": 1}, {"id": 2}])));
    assert_eq!(page.expect("partial_applications_response")["data"]["count"], 2);
}

#[test]
fn a_page_that_was_away_gets_the_newest_and_not_those_before() {
    let (site, redis) = (Receiver::start(), Redis::start());
    let config = format!("portico.applications = \"callback\"\nportico.callback = \"{}\"\n", site.url());
    let server = server(&redis, &config);
    Page::open(&server, STRONG).0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    let channel = format!("/v1/channels/applications_session_{STRONG}/events");
    for n in 1..=3 {
        site.say(Say::Json(200, json!(vec![json!({"id": 1}); n])));
        changed(&redis, STRONG);
        eventually("it is the channel's value", || {
            server.api("GET", &channel, None).text().contains(&format!("\"count\":{n}"))
                || server.api("GET", &channel, None).text().contains(&format!("\\\"count\\\":{n}"))
        });
    }
    let mut back = Page::open(&server, STRONG);
    assert_eq!(back.expect("partial_applications_response")["data"]["count"], 3);
    back.expect_nothing();
}
