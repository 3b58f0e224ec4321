//! A used idempotency key opens nothing else, on any route that changes something.

use serde_json::Value;

use super::wrong::routes;
use super::*;

/// A request that succeeds under a key, and then another one for the same kind of route under the same key.
struct Twice {
    path: String,
    first: Value,
    other: (String, Value),
}

fn twice(path: impl Into<String>, first: Value, other: Value) -> Twice {
    let path = path.into();
    Twice { other: (path.clone(), other), path, first }
}

/// A world with room for everybody, and places in it that nobody has yet.
struct Site {
    world: World,
    taken: u64,
}

impl Site {
    fn start() -> Self {
        let world = World::start("");
        world.resource("dr-7", json!({"capacity": 50}));
        world.resource("asked", json!({"capacity": 50, "policy": {"approval": true}}));
        Self { world, taken: 0 }
    }

    fn free(&mut self, resource: &str) -> Value {
        self.taken += 1;
        claim(resource, self.taken * 10, self.taken * 10 + 5)
    }

    fn hold(&mut self) -> Value {
        let claims = self.free("dr-7");
        self.world.held(&format!("v{}", self.taken), claims)
    }

    fn booking(&mut self, resource: &str) -> String {
        let claims = self.free(resource);
        self.made("bookings", &wish("anna", claims), "reservation")
    }

    fn wait(&self, claims: &Value, who: &str) -> String {
        self.made("waitlist", &json!({"claims": claims, "holder": who}), "wait")
    }

    /// The id of what a request makes.
    fn made(&self, path: &str, body: &Value, what: &str) -> String {
        let answer = self.world.step(path, body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()[what]["id"].as_str().unwrap().to_owned()
    }

    fn of_resources_and_holds(&mut self) -> Vec<Twice> {
        let mut claims = || json!({"claims": self.free("dr-7")});
        let mut tries = vec![
            twice("/v1/resources/dr-9", json!({"capacity": 2}), json!({"capacity": 3})),
            twice("/v1/blocks/feed", json!({"as_of": 5, "blocks": []}), json!({"as_of": 6, "blocks": []})),
            twice("/v1/holds", claims(), claims()),
            twice("/v1/bookings", claims(), claims()),
        ];
        for verb in ["extend", "release", "confirm"] {
            let held = self.hold();
            let (fence, other) = (json!({"fence": held["fence"]}), json!({"fence": 1}));
            tries.push(twice(format!("/v1/holds/{}/{verb}", held["id"].as_str().unwrap()), fence, other));
        }
        tries
    }

    fn of_bookings(&mut self) -> Vec<Twice> {
        let mut tries = Vec::new();
        for (verb, resource, before) in [
            ("approve", "asked", None),
            ("decline", "asked", None),
            ("start", "dr-7", None),
            ("complete", "dr-7", Some("start")),
            ("cancel", "dr-7", None),
            ("no_show", "dr-7", None),
        ] {
            let id = self.booking(resource);
            if let Some(before) = before {
                assert_eq!(self.world.step(&format!("bookings/{id}/{before}"), &json!({})).status, 200);
            }
            tries.push(twice(format!("/v1/bookings/{id}/{verb}"), json!({}), json!({"version": 1})));
        }
        let moved = self.booking("dr-7");
        let (there, elsewhere) = (json!({"claims": self.free("dr-7")}), json!({"claims": self.free("dr-7")}));
        tries.push(twice(format!("/v1/bookings/{moved}/reschedule"), there, elsewhere));
        let link = |text: &str| json!({"external_ref": text});
        tries.push(twice(format!("/v1/bookings/{moved}/link"), link("row-1"), link("row-2")));
        tries
    }

    /// A room is full, so that one can wait; one of those who wait is offered what is released.
    fn of_the_waitlist(&self) -> Vec<Twice> {
        self.world.resource("room", json!({}));
        let (early, late) = (claim("room", 0, 60), claim("room", 60, 120));
        let (first, _) = (self.world.held("eve", early.clone()), self.world.held("fay", late.clone()));
        let (offered, other, third) =
            (self.wait(&early, "gil"), self.wait(&late, "gil"), self.wait(&late, "hal"));
        let path = format!("holds/{}/release", first["id"].as_str().unwrap());
        assert_eq!(self.world.step(&path, &json!({"fence": first["fence"]})).status, 200);
        let join = |claims: &Value| json!({"claims": claims, "holder": "ida"});
        let mut tries = vec![twice("/v1/waitlist", join(&early), join(&late))];
        // A body of these has no fields: the same key for another entry is what differs.
        for (verb, of, elsewhere) in [("accept", &offered, &other), ("leave", &other, &third)] {
            let path = |id: &str| format!("/v1/waitlist/{id}/{verb}");
            tries.push(Twice { path: path(of), first: json!({}), other: (path(elsewhere), json!({})) });
        }
        tries
    }

    /// All that there is, without when it was looked at.
    fn everything(&self) -> [Value; 4] {
        ["resources", "holds", "bookings", "waitlist"].map(|list| {
            let mut page = self.world.server.api("GET", &format!("/v1/{list}"), None).json();
            let about = page.as_object_mut().unwrap();
            for moment in ["now", "position"] {
                about.remove(moment);
            }
            for one in page["reservations"].as_array_mut().into_iter().flatten() {
                one.as_object_mut().unwrap().remove("ttl_ms");
            }
            page
        })
    }
}

#[test]
fn a_used_key_opens_nothing_else_on_any_route() {
    let mut site = Site::start();
    let mut tries = site.of_resources_and_holds();
    tries.extend(site.of_bookings());
    tries.extend(site.of_the_waitlist());
    let mutating = routes(&site.world.server).into_iter().filter(|(method, _)| method != "GET").count();
    assert_eq!(tries.len(), mutating, "every route that changes something has a line");
    let bearer = format!("Bearer {SECRET}");
    for (n, Twice { path, first, other }) in tries.iter().enumerate() {
        let puts = path.starts_with("/v1/resources") || path.starts_with("/v1/blocks");
        let key = format!("key-{n}");
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key.as_str())];
        let ask = |path: &str, body: &Value| {
            let method = if puts { "PUT" } else { "POST" };
            request(&site.world.server, method, path, &headers, Some(&body.to_string()))
        };
        let done = ask(path, first);
        assert_eq!(done.status, 200, "{path}: {done:?}");
        assert_eq!(ask(path, first).json()["position"], done.json()["position"], "{path}: it is done once");
        let before = site.everything();
        refused(&ask(&other.0, &other.1), 409, "key_reused");
        assert_eq!(site.everything(), before, "{path}: nothing happened");
    }
    site.world.finish();
}
