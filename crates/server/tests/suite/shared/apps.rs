//! Apps that are added while servers run on one database.

use super::*;
use crate::pusher::apps::{OPERATOR, listener, operate};

#[test]
fn an_app_that_one_server_adds_is_served_by_all_and_taken_away_from_all() {
    let database = shared().database();
    let config = format!(
        "operator.secret = \"{OPERATOR}\"\n{UNBOUND}\n[[channels]]\npattern = \"room\"\ndurable = true\n"
    );
    let [one, two] = [(); 2].map(|()| Server::start(start_on(&database.url(), &config)));
    let wish = json!({"key": "both", "secret": "a-secret-that-both-servers-know"});
    assert_eq!(operate(&one, "PUT", "/v1/apps/42", Some(&wish)).status, 200);
    let knows = |server: &Server| operate(server, "GET", "/v1/apps/42", None).status == 200;
    assert!(knows(&one));
    eventually("the other server knows the app", || knows(&two));
    let mut clients = [listener(&one, "both"), listener(&two, "both")];
    // Rows of the ledger, from whichever server, reach the clients of both, in order.
    for (nth, server) in [&one, &two, &two, &one].into_iter().enumerate() {
        let body = json!({"channel": "room", "name": "told", "data": nth}).to_string();
        let bearer = [("Authorization", "Bearer a-secret-that-both-servers-know")];
        let published = request(server, "POST", "/v1/publish?app=both", &bearer, Some(&body));
        assert_eq!(published.status, 200, "{}", published.text());
    }
    for client in &mut clients {
        let told: Vec<Value> = (0..4).map(|_| client.next()["data"].clone()).collect();
        assert_eq!(told, ["0", "1", "2", "3"].map(Value::from));
    }
    let changed = json!({"secret": "another-secret-that-both-know"});
    assert_eq!(operate(&two, "PUT", "/v1/apps/42", Some(&changed)).status, 200);
    let bearer = [("Authorization", "Bearer another-secret-that-both-know")];
    let opens = || request(&one, "GET", "/v1/channels", &bearer, None).status == 200;
    eventually("the first server has the other secret", opens);
    assert_eq!(operate(&two, "DELETE", "/v1/apps/42", None).status, 200);
    for client in &mut clients {
        assert_eq!(client.until_closed().code, Some(4001));
    }
    assert_eq!(one.problems(), [""; 0]);
}
