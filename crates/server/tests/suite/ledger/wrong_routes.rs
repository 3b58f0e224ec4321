//! Every route of the ledger against everything that can be wrong with a request for it.
//!
//! What a route can be asked wrongly is read from its own description, so a new route or field fails here until a
//! line says what becomes of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::wrong::routes;
use super::*;

/// What is wrong, and who asks. The names are those of the table below.
const KINDS: [&str; 9] =
    ["missing", "malformed", "backwards", "past", "zone", "overlapping", "units", "stale", "foreign"];

/// A world in which something of everything is there, all of it of one person.
struct Site {
    world: World,
    hold: Value,
    /// The hold's fence as its holder sees it.
    sealed: Value,
    booking: Value,
    wait: Value,
}

/// The window that is held.
fn taken() -> Value {
    claim("dr-7", 600, 660)
}

/// One claim with other bounds and units than usual.
fn of(start: Value, end: Value, units: u32) -> Value {
    json!([{"resource": "dr-7", "start": start, "end": end, "units": units}])
}

impl Site {
    fn start() -> Self {
        let world = World::start("");
        world.resource("dr-7", json!({}));
        let hold = world.held("anna", taken());
        let booked = world.step("bookings", &wish("anna", claim("dr-7", 700, 760)));
        let wait = world.step("waitlist", &json!({"claims": taken(), "holder": "cleo"}));
        let blocks = json!({"as_of": 5, "blocks": []});
        assert_eq!(world.server.api("PUT", "/v1/blocks/feed", Some(&blocks)).status, 200);
        let (booking, wait) = (booked.json()["reservation"].clone(), wait.json()["wait"].clone());
        let path = format!("/v1/holds/{}", hold["id"].as_str().unwrap());
        let anna = format!("Bearer {}", user("anna"));
        let own = request(&world.server, "GET", &path, &[("Authorization", &anna)], None).json();
        let sealed = own["reservation"]["fence"].clone();
        Self { world, hold, sealed, booking, wait }
    }

    /// The path of a route, about what is there.
    fn path(&self, template: &str) -> String {
        let id = match template.split('/').nth(2) {
            Some("resources") => "dr-7",
            Some("holds") => self.hold["id"].as_str().unwrap(),
            Some("waitlist") => self.wait["id"].as_str().unwrap(),
            _ => self.booking["id"].as_str().unwrap(),
        };
        template.replace("{id}", id).replace("{source}", "feed")
    }

    /// A body that is right but for what a kind of mistake says.
    fn body(&self, verb: &str, template: &str, kind: &str) -> Value {
        let (ten, now) = (day() + 10 * HOUR, in_seconds(0) as u64 * 1_000);
        let claims = match kind {
            "malformed" => json!("nothing of the kind"),
            "backwards" => of(json!(ten + HOUR), json!(ten), 1),
            "past" => of(json!(now - 2 * HOUR), json!(now - HOUR), 1),
            "zone" => of(json!("2027-01-04T10:00:00"), json!("2027-01-04T11:00:00"), 1),
            "overlapping" => claim("dr-7", 630, 690),
            "units" => of(json!(ten + 5 * HOUR), json!(ten + 6 * HOUR), 2),
            _ => claim("dr-7", 900, 930),
        };
        let fence = match kind {
            "malformed" => json!([]),
            "stale" => json!(self.hold["fence"].as_u64().unwrap() + 1),
            // Whoever has come by it can do nothing with it.
            "foreign" => self.sealed.clone(),
            _ => self.hold["fence"].clone(),
        };
        let version = if kind == "malformed" { json!("three") } else { json!(1) };
        let mut body = match (verb, template) {
            ("PUT", "/v1/resources/{id}") => match kind {
                "zone" => json!({"time_zone": "Europe/Nowhere"}),
                "malformed" => json!({"capacity": "many"}),
                _ => json!({}),
            },
            ("PUT", _) => {
                let block = claims.as_array().map(|claims| {
                    json!([{"resource": "dr-7", "start": claims[0]["start"], "end": claims[0]["end"]}])
                });
                json!({"as_of": if kind == "stale" { 4 } else { 6 }, "blocks": block.unwrap_or(claims)})
            }
            (_, "/v1/waitlist") if kind == "foreign" => json!({"claims": claims, "holder": "anna"}),
            (_, "/v1/waitlist") => json!({"claims": claims, "holder": "dora"}),
            (_, "/v1/bookings/{id}/reschedule") if kind == "stale" => {
                json!({"claims": claims, "version": version})
            }
            (_, "/v1/holds" | "/v1/bookings" | "/v1/bookings/{id}/reschedule") => json!({"claims": claims}),
            (_, "/v1/bookings/{id}/link") if kind == "malformed" => json!({"external_ref": 7}),
            (_, "/v1/bookings/{id}/link") => json!({"external_ref": "row-7"}),
            (_, template) if template.starts_with("/v1/bookings/") => match kind {
                "stale" | "malformed" => json!({"version": version}),
                _ => json!({}),
            },
            (_, template) if template.starts_with("/v1/waitlist/") => match kind {
                "malformed" => json!({"offer": 1}),
                _ => json!({}),
            },
            _ => json!({"fence": fence}),
        };
        match (kind, template) {
            ("missing", _) => body = json!({}),
            ("foreign", "/v1/holds") => body["replace"] = self.hold["id"].clone(),
            _ => {}
        }
        body
    }

    /// What a wrong query is to a route that only reads.
    fn query(template: &str, kind: &str) -> String {
        let (ten, eleven) = (day() + 10 * HOUR, day() + 11 * HOUR);
        match (kind, template.rsplit('/').next().unwrap()) {
            ("backwards", _) => format!("?from={eleven}&to={ten}"),
            ("zone", _) => format!("?from=2027-01-04T10:00:00&to={eleven}"),
            ("units", _) => format!("?from={ten}&to={eleven}&units=2&duration=60000"),
            ("malformed", "availability") => format!("?from=soon&to={eleven}"),
            ("malformed", "{id}" | "{source}") => "?limit=7".to_owned(),
            ("malformed", _) => "?limit=none".to_owned(),
            ("foreign", "holds" | "bookings") => "?user=anna".to_owned(),
            ("foreign", "waitlist") => "?user=cleo".to_owned(),
            _ => String::new(),
        }
    }

    fn ask(&self, method: &str, template: &str, kind: &str) -> Answer {
        let who = if kind == "foreign" { user("bert") } else { SECRET.to_owned() };
        let bearer = format!("Bearer {who}");
        let reads = method == "GET";
        let query = if reads { Self::query(template, kind) } else { String::new() };
        let body = (!reads).then(|| self.body(method, template, kind).to_string());
        let path = self.path(template) + &query;
        request(&self.world.server, method, &path, &[("Authorization", &bearer)], body.as_deref())
    }
}

/// What can be wrong with a request for a route, as far as its description shows.
fn can_be_wrong(api: &Value, method: &str, template: &str) -> BTreeSet<&'static str> {
    let about = &api["paths"][template][method.to_lowercase()];
    let body = &about["requestBody"]["content"]["application/json"]["schema"];
    let body = match body["$ref"].as_str() {
        Some(name) => &api["components"]["schemas"][name.rsplit('/').next().unwrap()],
        None => body,
    };
    let has = |field: &str| body["properties"].get(field).is_some();
    let asks = |name: &str| {
        let named = |one: &Value| {
            one["name"] == name || one["$ref"].as_str().is_some_and(|r| r.ends_with(&format!("/{name}")))
        };
        about["parameters"].as_array().is_some_and(|all| all.iter().any(named))
    };
    let shown = template.ends_with("/availability");
    let mut kinds = BTreeSet::from(["malformed"]);
    if !shown {
        kinds.insert("foreign");
    }
    if shown || body["required"].as_array().is_some_and(|all| !all.is_empty()) || has("claims") {
        kinds.insert("missing");
    }
    if has("claims") || has("blocks") || asks("from") {
        kinds.extend(["backwards", "zone"]);
    }
    if has("claims") {
        kinds.extend(["past", "units"]);
        // One waits for what is taken.
        if template != "/v1/waitlist" {
            kinds.insert("overlapping");
        }
    }
    if has("time_zone") {
        kinds.insert("zone");
    }
    if shown {
        kinds.insert("units");
    }
    if has("fence") || has("version") || has("as_of") {
        kinds.insert("stale");
    }
    kinds
}

/// The documented answer to a kind of mistake.
fn documented(method: &str, template: &str, kind: &str) -> (u16, &'static str) {
    let last = template.rsplit('/').next().unwrap();
    match kind {
        "overlapping" => (409, "conflict"),
        "stale" if matches!(last, "extend" | "release" | "confirm") => (409, "stale_fence"),
        "stale" => (409, "stale_version"),
        "foreign" if method == "GET" && template.contains("{id}") && last == "{id}" => match template {
            "/v1/resources/{id}" => (403, "denied"),
            _ => (404, "not_found"),
        },
        "foreign" => match last {
            "resources" | "blocks" | "bookings" | "waitlist" | "{source}" | "reschedule" | "link" => {
                (403, "denied")
            }
            "holds" if method == "GET" => (403, "denied"),
            _ if method == "PUT" => (403, "denied"),
            _ => (403, "not_holder"),
        },
        _ => (400, "bad_field"),
    }
}

#[test]
fn every_route_answers_every_mistake_with_its_code() {
    let site = Site::start();
    let api = get(&site.world.server, "/openapi.json").json();
    let mut seen = BTreeSet::new();
    for (method, template) in routes(&site.world.server) {
        let described = &api["paths"][&template][method.to_lowercase()]["responses"];
        for kind in can_be_wrong(&api, &method, &template) {
            let (status, code) = documented(&method, &template, kind);
            let answer = site.ask(&method, &template, kind);
            let said = answer.json();
            let found = (answer.status, said["code"].as_str().unwrap_or_default());
            assert_eq!(found, (status, code), "{kind}: {method} {template}: {answer:?}");
            assert!(described.get(status.to_string()).is_some(), "{method} {template} hides {status}");
            seen.insert(kind);
        }
    }
    assert_eq!(seen, KINDS.into());
    // Nothing of all this has changed anything.
    let now = |template: &str| site.world.server.api("GET", &site.path(template), None).json();
    assert_eq!(now("/v1/holds/{id}")["reservation"]["version"], site.hold["version"]);
    assert_eq!(now("/v1/bookings/{id}")["reservation"]["version"], site.booking["version"]);
    assert_eq!(now("/v1/waitlist/{id}")["wait"]["state"], "waiting");
    site.world.finish();
}

#[test]
fn a_feed_may_tell_what_is_over_and_one_may_wait_for_what_is_taken() {
    let site = Site::start();
    // These are the mistakes of other routes, and none here.
    assert_eq!(site.ask("PUT", "/v1/blocks/{source}", "past").status, 200);
    assert_eq!(site.ask("POST", "/v1/waitlist", "overlapping").json()["wait"]["state"], "waiting");
    site.world.finish();
}
