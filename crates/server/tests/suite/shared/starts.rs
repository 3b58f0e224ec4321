//! Servers that start on a database.

use super::*;

#[test]
fn servers_that_start_at_once_on_an_empty_database_agree() {
    let database = shared().database();
    let servers: Vec<Server> = std::thread::scope(|threads| {
        let starting: Vec<_> = (0..4).map(|_| threads.spawn(|| on(&database))).collect();
        starting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for server in &servers {
        let warnings: Vec<String> =
            server.logged().into_iter().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings, [""; 0]);
    }
    let guard = "SELECT count(*) FROM pg_constraint WHERE conname = 'claims_alone'";
    assert_eq!(database.run(guard), ["1"]);
    make_room(&servers[0]);
    let statuses: Vec<u16> = servers.iter().map(|server| hold(server, 0, 60_000).status).collect();
    assert_eq!(statuses, [200, 409, 409, 409], "they have one ledger");
    // Whoever has a cursor of one of them goes on at another: they have one secret.
    let cursor = head(&servers[1]);
    assert_eq!(hold(&servers[2], 1, 60_000).status, 200);
    let mut ws = Ws::back(&servers[3], None, &cursor, &["slots:room"]);
    assert_eq!(ws.expect("subscribed")["recovered"], true);
    assert_eq!(ws.expect("event")["name"], "slots.delta");
}
