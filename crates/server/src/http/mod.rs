//! The HTTP API: for backends, and for clients without a WebSocket.
//!
//! | part | what |
//! |---|---|
//! | [`ROUTES`] | every route there is; `openapi.json` describes the same, and a test compares them |
//! | `asked`, `auth`, `query` | who asks, and what |
//! | `problem`, `answer` | what goes out |
//! | `publish` | events in |
//! | `channels`, `history`, `sessions`, `tokens` | what backends see and do |
//! | `stream`, `poll` | events out, over a shard |
//! | `health`, `start_page` | how the server is, for machines and for people |
//! | `cors` | which web pages may call all this |
//!
//! It runs on tokio and never fans out: whatever concerns connected clients is a letter to their
//! shard. It knows nothing of sockets, TLS and proxies: the front door has dealt with them and puts
//! the [`Peer`](crate::door::Peer) on every request.

mod answer;
mod asked;
mod auth;
mod channels;
mod cors;
mod health;
mod history;
mod problem;
pub mod publish;
mod query;
mod sessions;
mod shards;
mod start_page;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use deskbell_core::refusal::Code;

use crate::hub::Hub;
use problem::Problem;

/// The description of the API, written by hand; tests hold it against [`ROUTES`] and the codes.
pub const OPENAPI: &str = include_str!("openapi.json");

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    answer: fn() -> MethodRouter<Arc<Hub>>,
}

const fn route(method: &'static str, path: &'static str, answer: fn() -> MethodRouter<Arc<Hub>>) -> Route {
    Route { method, path, answer }
}

/// Every route.
pub const ROUTES: [Route; 17] = [
    route("GET", "/", || get(start_page::page)),
    route("GET", "/healthz", || get(health::live)),
    route("GET", "/readyz", || get(health::ready)),
    route("GET", "/metrics", || get(health::metrics)),
    route("GET", "/openapi.json", || get(health::openapi)),
    route("GET", "/v1/stats", || get(health::stats)),
    route("POST", "/v1/publish", || post(publish::publish)),
    route("GET", "/v1/channels", || get(channels::list)),
    route("GET", "/v1/channels/{channel}", || get(channels::one)),
    route("GET", "/v1/channels/{channel}/presence", || get(channels::presence)),
    route("GET", "/v1/channels/{channel}/events", || get(history::events)),
    route("GET", "/v1/sessions", || get(sessions::list)),
    route("DELETE", "/v1/sessions/{session}", || delete(sessions::end)),
    route("POST", "/v1/users/{user}/disconnect", || post(sessions::end_user)),
    route("POST", "/v1/tokens", || post(tokens::mint)),
    route("GET", "/v1/stream", || get(stream::stream)),
    route("GET", "/v1/poll", || get(stream::poll)),
];

/// All routes over a running server.
pub fn router(hub: Arc<Hub>) -> Router {
    let routes =
        ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.answer)()));
    routes
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(from_fn_with_state(hub.clone(), cors::around))
        .with_state(hub)
}

async fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "there is no such route; /openapi.json lists all of them")
}

async fn otherwise() -> Problem {
    let sentence = "this route has other methods; the `Allow` header and /openapi.json list them";
    Problem::new(Code::MethodNotAllowed, sentence)
}
