//! A yardstick: the crate `socketioxide` with rooms and nothing else, and Deskbell's form of a publish.

use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};

async fn connected(socket: SocketRef) {
    socket.on("join_room", async |socket: SocketRef, Data::<String>(room), answer: AckSender| {
        socket.join(room);
        let _ = answer.send(&json!({"success": true}));
    });
}

async fn publish(io: SocketIo, body: Value) {
    let one = [body.clone()];
    for event in body["events"].as_array().map_or(&one[..], Vec::as_slice) {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let _ = io.to(text("channel")).emit(text("name"), &event["data"]).await;
    }
}

// One core is measured, so one thread is what it has.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (layer, io) = SocketIo::builder().build_layer();
    io.ns("/", connected);
    let route = post(async move |Json(body): Json<Value>| {
        publish(io, body).await;
        "{}"
    });
    let app = axum::Router::new().route("/v1/publish", route).layer(layer);
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, app).await
}
