//! stub
use crate::hub::Hub;
use axum::{
    Json,
    extract::State,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::sync::Arc;
/// stub
pub fn router(hub: Arc<Hub>) -> axum::Router {
    axum::Router::new()
        .route("/readyz", get(|| async { "ok" }))
        .route("/v1/publish", post(publish))
        .with_state(hub)
}
async fn one(hub: &Arc<Hub>, v: &Value) -> Value {
    let app = &hub.apps[0];
    let p = deskbell_core::vocabulary::Publish {
        channel: deskbell_core::ids::ChannelName::parse(v["channel"].as_str().unwrap()).unwrap(),
        name: deskbell_core::ids::EventName::parse(v["name"].as_str().unwrap()).unwrap(),
        data: deskbell_core::event::Data::json(v["data"].to_string()),
        id: v["id"].as_str().map(|s| deskbell_core::ids::EventId::parse(s).unwrap()),
        key: None,
        except: None,
    };
    let (tx, rx) = tokio::sync::oneshot::channel();
    let r = match hub.publish(
        app,
        &deskbell_core::access::Identity::backend(),
        p,
        crate::clock::now_ms(),
        move |o| {
            let _ = tx.send(o);
        },
    ) {
        Some(o) => o,
        None => rx.await.unwrap(),
    }
    .unwrap();
    json!({"id": r.id.to_string(), "cursor": app.seal(r.at)})
}
async fn publish(State(hub): State<Arc<Hub>>, Json(v): Json<Value>) -> Json<Value> {
    if let Some(list) = v["events"].as_array() {
        let mut out = vec![];
        for e in list {
            out.push(one(&hub, e).await);
        }
        return Json(json!({"events": out}));
    }
    Json(one(&hub, &v).await)
}
