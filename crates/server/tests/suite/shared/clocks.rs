//! Servers whose clocks are wrong: the database's time counts, and it is the same for all.

use std::path::Path;

use super::*;

/// A server that believes that it is another day.
fn astray(database: &Database<'_>, by: &str) -> Server {
    let mut start = start_on(&database.url(), UNBOUND);
    let library = libfaketime();
    for (name, value) in
        [("LD_PRELOAD", library.as_str()), ("FAKETIME", by), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
    {
        start.env.push((name.to_owned(), value.to_owned()));
    }
    Server::start(start)
}

/// What the server's machine believes the day is, as its log says it.
fn day_of(server: &Server) -> String {
    let log = server.logged();
    let line = log.iter().find(|line| line.contains("listening on")).unwrap();
    line.split('T').next().unwrap().to_owned()
}

#[test]
fn servers_whose_clocks_are_a_day_apart_grant_correctly() {
    let database = shared().database();
    let right = on(&database);
    let servers = [&astray(&database, "+1d"), &right, &astray(&database, "-1d")];
    let days: Vec<String> = servers.iter().map(|server| day_of(server)).collect();
    assert!(days[0] > days[1] && days[1] > days[2], "the clocks are not wrong: {days:?}");
    make_room(&right);
    for (nth, holder) in servers.iter().enumerate() {
        let nth = nth as u64;
        let before = in_seconds(0) as u64 * 1_000;
        let held = hold(holder, nth, 900_000);
        assert_eq!(held.status, 200, "{held:?}");
        let held = held.json()["reservation"].clone();
        let ends = held["expires_at"].as_u64().unwrap();
        assert!(
            ends.abs_diff(before + 900_000) < 60_000,
            "a quarter of an hour from now, whatever the clock: {held}"
        );
        for other in servers {
            let refused = hold(other, nth, 900_000);
            assert_eq!(refused.status, 409, "it is held everywhere: {refused:?}");
        }
        let end = json!({"fence": held["fence"]});
        let id = held["id"].as_str().unwrap();
        let next = servers[(nth as usize + 1) % servers.len()];
        let confirmed = next.api("POST", &format!("/v1/holds/{id}/confirm"), Some(&end));
        assert_eq!(confirmed.status, 200, "another server confirms it: {confirmed:?}");
    }
    for (nth, holder) in servers.iter().enumerate() {
        let nth = nth as u64 + 10;
        let held = hold(holder, nth, 1_500);
        assert_eq!(held.status, 200, "{held:?}");
        let ends = held.json()["reservation"]["expires_at"].as_u64().unwrap();
        let next = servers[(nth as usize + 1) % servers.len()];
        assert_eq!(hold(next, nth, 60_000).status, 409, "it is held still");
        eventually("a short hold ends at its moment", || hold(next, nth, 60_000).status == 200);
        let now = deskbell_server::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(now.as_millis() as u64 + 50 >= ends, "and no earlier");
        assert!((now.as_millis() as u64) < ends + 30_000, "and not much later");
    }
    assert_eq!(right.problems(), [""; 0]);
    assert!(Path::new(&right.data).exists());
}
