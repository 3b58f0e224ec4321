//! `openapi.json` says what the router does: the same routes, the same codes, nothing dangling.

use std::collections::BTreeSet;

use deskbell_core::log::ResetReason;
use deskbell_core::refusal::Code;

use super::super::{OPENAPI, ROUTES};
use super::*;

fn described() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Every method of every path.
fn operations(api: &Value) -> BTreeSet<(String, String)> {
    let paths = api["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    operations.collect()
}

#[test]
fn it_has_every_route_and_no_other() {
    let routes: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(routes.len(), ROUTES.len(), "no route stands there twice");
    assert_eq!(operations(&described()), routes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_table_is_what_the_router_does() {
    let server = Server::start();
    for route in ROUTES {
        let target = filled(route.path);
        let request = Request::builder().method("TRACE").uri(&target).body(Body::empty()).unwrap();
        let allow = server.send(request).await.header("allow").to_owned();
        assert!(allow.split(',').any(|method| method == route.method), "{} {target}: {allow}", route.method);
    }
}

#[test]
fn it_has_every_code_and_every_reason() {
    let api = described();
    let words = |schema: &Value| -> Vec<String> {
        schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let schemas = &api["components"]["schemas"];
    assert_eq!(words(&schemas["Code"]), Code::ALL.map(Code::as_str));
    assert_eq!(
        words(&schemas["ResetFrame"]["properties"]["reason"]),
        ResetReason::ALL.map(ResetReason::as_str)
    );
    // Each code is explained with the status that carries it, or where else it is said.
    let responses = api["components"]["responses"].to_string() + &schemas["Code"]["description"].to_string();
    for code in Code::ALL.map(Code::as_str).iter().filter(|code| **code != "method_not_allowed") {
        assert!(responses.contains(&format!("`{code}`")), "{code}");
    }
    assert!(api["info"]["description"].as_str().unwrap().contains("`method_not_allowed`"));
}

#[test]
fn its_version_is_ours_and_its_references_lead_somewhere() {
    let api = described();
    assert_eq!(api["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut references = BTreeSet::new();
    collect(&api, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference}");
    }
    // Nor is anything described that nothing uses.
    for part in ["schemas", "responses", "parameters"] {
        for name in api["components"][part].as_object().unwrap().keys() {
            let reference = format!("#/components/{part}/{name}");
            assert!(references.contains(&reference), "{reference}");
        }
    }
}

fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, into));
        }
        Value::Array(list) => list.iter().for_each(|member| collect(member, into)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_is_served() {
    let server = Server::start();
    assert_eq!(server.visit("/openapi.json").await.json, described());
}
