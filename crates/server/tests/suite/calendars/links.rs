//! Calendar links: who gets them, what they show, and that a changed one leads nowhere.

use super::*;

/// The path of a calendar link.
fn link(server: &Server, headers: &[(&str, &str)], query: &str) -> String {
    let answer = request(server, "GET", &format!("/v1/calendars{query}"), headers, None);
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = answer.json();
    let path = shown["path"].as_str().unwrap().to_owned();
    assert_eq!(shown["url"], format!("http://{}{path}", server.address));
    path
}

fn bearer(text: &str) -> String {
    format!("Bearer {text}")
}

#[test]
fn a_users_calendar_shows_the_own_bookings_and_nobody_elses() {
    let server = server("");
    let mine = book(&server, "ann", ahead(48));
    let other = book(&server, "bob", ahead(50));
    let token = bearer(&user("ann"));
    let path = link(&server, &[("Authorization", &token)], "");
    assert!(!path.contains("ann"), "whose it is cannot be read from it");
    let answer = get(&server, &path);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains(&format!("UID:{}\r\n", mine["id"].as_str().unwrap())), "{text}");
    assert!(text.contains("STATUS:CONFIRMED\r\n") && text.contains("SUMMARY:dr-7\r\n"), "{text}");
    assert!(!text.contains(other["id"].as_str().unwrap()), "{text}");
    assert_eq!(
        link(&server, &[("Authorization", &bearer(SECRET))], "?user=ann"),
        path,
        "backends get the same"
    );

    // A cancelled booking stays in it as cancelled, and is newer.
    let tag = answer.header("etag").unwrap().to_owned();
    let unchanged = request(&server, "GET", &path, &[("If-None-Match", &tag)], None);
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    server.api("POST", &format!("/v1/bookings/{}/cancel", mine["id"].as_str().unwrap()), Some(&json!({})));
    let changed = request(&server, "GET", &path, &[("If-None-Match", &tag)], None);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(changed.text().contains("STATUS:CANCELLED\r\n"), "{}", changed.text());
    let sequence = |text: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix("SEQUENCE:")).unwrap().parse().unwrap()
    };
    assert!(sequence(&changed.text()) > sequence(&text));
}

#[test]
fn a_resources_calendar_names_nobody() {
    let server = server("");
    book(&server, "ann", ahead(48));
    let claims = json!([{"resource": "dr-7", "start": ahead(60), "end": ahead(61)}]);
    let held = server.api(
        "POST",
        "/v1/holds",
        Some(&json!({"claims": claims, "holder": "bob", "email": "bob@private.test"})),
    );
    assert_eq!(held.status, 200, "{held:?}");
    let doctor = bearer(&user("7"));
    let path = link(&server, &[("Authorization", &doctor)], "?resource=dr-7");
    let text = get(&server, &path).text();
    assert!(text.contains("SUMMARY:Booked\r\n") && text.contains("SUMMARY:Held\r\n"), "{text}");
    assert!(text.contains("STATUS:CONFIRMED\r\n") && text.contains("STATUS:TENTATIVE\r\n"), "{text}");
    for private in ["ann", "bob", "private", "secret", "note"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[test]
fn only_who_may_see_it_gets_a_link_and_a_changed_one_leads_nowhere() {
    let mut server = server("");
    let (ann, doctor) = (bearer(&user("ann")), bearer(&user("7")));
    for (query, code) in
        [("?resource=dr-7", "denied"), ("?user=bob", "denied"), ("?user=ann&resource=dr-7", "bad_field")]
    {
        let answer =
            request(&server, "GET", &format!("/v1/calendars{query}"), &[("Authorization", &ann)], None);
        assert_eq!(answer.json()["code"], code, "{query}");
    }
    assert_eq!(get(&server, "/v1/calendars?user=ann").status, 401, "a stranger");
    let before = link(&server, &[("Authorization", &doctor)], "?resource=dr-7");
    let own = link(&server, &[("Authorization", &ann)], "");
    let rotated = request(
        &server,
        "POST",
        "/v1/calendars/rotate?resource=dr-7",
        &[("Authorization", &doctor)],
        Some(""),
    );
    let after = rotated.json()["path"].as_str().unwrap().to_owned();
    assert_ne!(before, after);
    server = server.crash_and_restart();
    assert_eq!(get(&server, &before).json()["code"], "not_found");
    assert_eq!((get(&server, &after).status, get(&server, &own).status), (200, 200));
    for forged in ["x.ics", "nothing", &after[14..after.len() - 5]] {
        assert_eq!(get(&server, &format!("/v1/calendars/{forged}")).status, 404, "{forged}");
    }
}
