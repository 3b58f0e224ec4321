//! The HTTP API: for backends, and for clients without a WebSocket.
//!
//! | part | what |
//! |---|---|
//! | [`ROUTES`] | every route there is; `openapi.json` describes the same, and a test compares them |
//! | `asked`, `auth`, `query`, `gather` | who asks, and what |
//! | `problem`, `answer` | what goes out |
//! | `publish`, `ask` | events in, and questions to Socket.IO clients |
//! | `apps` | apps that come and go while the server runs |
//! | `channels`, `history`, `sessions`, `tokens` | what backends see and do |
//! | `stream`, `poll` | events out, over a shard |
//! | `ledger` | resources, holds, bookings, blocks, waitlists |
//! | `post` | inboxes and conversations |
//! | `pusher` | the Pusher dialect's own API |
//! | `marketplace` | the route by which a marketplace's backend tells its Socket.IO clients something |
//! | `appointease` | the routes of the AppointEase plugin, for its pages and for its backend |
//! | `portico` | how the server is, and what is told to everybody, as PorticoEstate asks it |
//! | `socketio` | the requests of polling Socket.IO clients |
//! | `calendars`, `busy` | calendars of bookings, and busy times from elsewhere |
//! | `webhooks` | how webhooks are, and what could not be delivered |
//! | `health`, `start_page` | how the server is, for machines and for people |
//! | `websocket_test` | a page that tries every way in from a browser |
//! | `cors` | which web pages may call all this |
//!
//! It runs on tokio and never fans out: whatever concerns connected clients is a letter to their
//! shard. It knows nothing of sockets, TLS and proxies: the front door has dealt with them and puts
//! the [`Peer`](crate::door::Peer) on every request.

mod answer;
mod appointease;
mod apps;
mod ask;
mod asked;
mod auth;
mod busy;
mod calendars;
mod channels;
mod cors;
mod gather;
mod health;
mod history;
mod ledger;
mod marketplace;
mod portico;
mod post;
mod problem;
pub mod publish;
mod pusher;
mod query;
mod sessions;
mod shards;
mod socketio;
mod start_page;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;
mod webhooks;
mod websocket_test;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use deskbell_core::refusal::Code;
use tower_service::Service as _;

use self::appointease::{backend, pages, poll};
use self::post::{conversations, inbox};
use crate::hub::Hub;
use ledger::{commands, free, lists, read};
use problem::Problem;
use pusher::{authorize, channels as occupied, events, users, xhr};

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
pub const ROUTES: [Route; 118] = [
    route("GET", "/", || get(start_page::page)),
    route("GET", "/websocket-test", || get(websocket_test::page)),
    route("GET", "/healthz", || get(health::live)),
    route("GET", "/readyz", || get(health::ready)),
    route("GET", "/metrics", || get(health::metrics)),
    route("GET", "/openapi.json", || get(health::openapi)),
    route("GET", "/v1/stats", || get(health::stats)),
    route("POST", "/v1/publish", || post(publish::publish)),
    route("POST", "/v1/ask", || post(ask::ask)),
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
    route("GET", "/v1/resources", || get(lists::resources)),
    route("GET", "/v1/resources/{id}", || get(read::resource)),
    route("PUT", "/v1/resources/{id}", || put(commands::put_resource)),
    route("GET", "/v1/resources/{id}/availability", || get(free::free)),
    route("GET", "/v1/resources/{id}/busy", || get(busy::get)),
    route("PUT", "/v1/resources/{id}/busy", || put(busy::put)),
    route("GET", "/v1/calendars", || get(calendars::link)),
    route("POST", "/v1/calendars/rotate", || post(calendars::rotate)),
    route("GET", "/v1/calendars/{file}", || get(calendars::read)),
    route("GET", "/v1/blocks/{source}", || get(read::blocks)),
    route("PUT", "/v1/blocks/{source}", || put(commands::put_blocks)),
    route("GET", "/v1/holds", || get(lists::holds)),
    route("POST", "/v1/holds", || post(commands::hold)),
    route("GET", "/v1/holds/{id}", || get(read::reservation)),
    route("POST", "/v1/holds/{id}/extend", || post(commands::extend)),
    route("POST", "/v1/holds/{id}/release", || post(commands::release)),
    route("POST", "/v1/holds/{id}/confirm", || post(commands::confirm)),
    route("GET", "/v1/bookings", || get(lists::bookings)),
    route("POST", "/v1/bookings", || post(commands::book)),
    route("GET", "/v1/bookings/{id}", || get(read::reservation)),
    route("POST", "/v1/bookings/{id}/reschedule", || post(commands::reschedule)),
    route("POST", "/v1/bookings/{id}/approve", || post(commands::approve)),
    route("POST", "/v1/bookings/{id}/decline", || post(commands::decline)),
    route("POST", "/v1/bookings/{id}/start", || post(commands::start)),
    route("POST", "/v1/bookings/{id}/complete", || post(commands::complete)),
    route("POST", "/v1/bookings/{id}/cancel", || post(commands::cancel)),
    route("POST", "/v1/bookings/{id}/no_show", || post(commands::no_show)),
    route("POST", "/v1/bookings/{id}/link", || post(commands::link)),
    route("GET", "/v1/waitlist", || get(lists::waits)),
    route("POST", "/v1/waitlist", || post(commands::join)),
    route("GET", "/v1/waitlist/{id}", || get(read::wait)),
    route("POST", "/v1/waitlist/{id}/leave", || post(commands::leave)),
    route("POST", "/v1/waitlist/{id}/accept", || post(commands::accept)),
    route("GET", "/v1/notifications", || get(inbox::list)),
    route("POST", "/v1/notifications", || post(inbox::notify)),
    route("DELETE", "/v1/notifications", || delete(inbox::clear)),
    route("DELETE", "/v1/notifications/{number}", || delete(inbox::delete_one)),
    route("POST", "/v1/notifications/read", || post(inbox::read)),
    route("POST", "/v1/notifications/read_all", || post(inbox::read_all)),
    route("POST", "/v1/notifications/delete", || post(inbox::delete)),
    route("GET", "/v1/inbox", || get(inbox::inbox)),
    route("PUT", "/v1/inbox/preferences", || put(inbox::prefer)),
    route("GET", "/v1/conversations", || get(conversations::list)),
    route("POST", "/v1/conversations", || post(conversations::create)),
    route("GET", "/v1/conversations/{id}", || get(conversations::one)),
    route("PUT", "/v1/conversations/{id}/members/{user}", || put(conversations::add)),
    route("DELETE", "/v1/conversations/{id}/members/{user}", || delete(conversations::remove)),
    route("GET", "/v1/conversations/{id}/messages", || get(conversations::messages)),
    route("POST", "/v1/conversations/{id}/messages", || post(conversations::send)),
    route("POST", "/v1/conversations/{id}/read", || post(conversations::mark)),
    route("POST", "/v1/conversations/{id}/typing", || post(conversations::typing)),
    route("GET", "/v1/apps", || get(apps::list)),
    route("POST", "/v1/apps", || post(apps::add)),
    route("GET", "/v1/apps/{id}", || get(apps::read)),
    route("PUT", "/v1/apps/{id}", || put(apps::put)),
    route("DELETE", "/v1/apps/{id}", || delete(apps::take)),
    route("GET", "/v1/webhooks", || get(webhooks::list)),
    route("GET", "/v1/webhooks/{name}", || get(webhooks::read)),
    route("GET", "/v1/webhooks/{name}/letters", || get(webhooks::letters)),
    route("POST", "/v1/webhooks/{name}/resend", || post(webhooks::resend)),
    route("POST", "/v1/webhooks/{name}/discard", || post(webhooks::discard)),
    route("POST", "/v1/webhooks/{name}/enable", || post(webhooks::enable)),
    route("POST", "/v1/webhooks/{name}/disable", || post(webhooks::disable)),
    route("POST", "/apps/{app}/events", || post(events::trigger)),
    route("POST", "/apps/{app}/batch_events", || post(events::batch)),
    route("GET", "/apps/{app}/channels", || get(occupied::list)),
    route("GET", "/apps/{app}/channels/{channel}", || get(occupied::one)),
    route("GET", "/apps/{app}/channels/{channel}/users", || get(occupied::users)),
    route("POST", "/apps/{app}/channels/{channel}/events", || post(events::old)),
    route("POST", "/apps/{app}/users/{user}/terminate_connections", || post(users::terminate)),
    route("POST", "/users/{user}/terminate_connections", || post(users::terminate_by_key)),
    route("POST", "/broadcasting/auth", || post(authorize::channel)),
    route("POST", "/broadcasting/user-auth", || post(authorize::user)),
    route("POST", "/pusher/auth", || post(authorize::channel)),
    route("POST", "/pusher/user-auth", || post(authorize::user)),
    route("POST", "/pusher/app/{key}/{server}/{session}/xhr_streaming", || post(xhr::stream)),
    route("POST", "/pusher/app/{key}/{server}/{session}/xhr", || post(xhr::poll)),
    route("POST", "/pusher/app/{key}/{server}/{session}/xhr_send", || post(xhr::send)),
    route("GET", "/api/socket", || get(marketplace::status)),
    route("POST", "/api/socket", || post(marketplace::broadcast)),
    route("GET", "/wp-json/appointease/v1/realtime/poll", || get(poll::poll)),
    route("POST", "/wp-json/appointease/v1/realtime/subscribe", || post(pages::subscribe)),
    route("POST", "/wp-json/appointease/v1/realtime/broadcast", || post(backend::broadcast)),
    route("POST", "/wp-json/appointease/v1/realtime/lock-slot", || post(pages::lock)),
    route("POST", "/wp-json/appointease/v1/lock-slot", || post(pages::lock)),
    route("POST", "/wp-json/appointease/v1/realtime/unlock-slot", || post(pages::unlock)),
    route("POST", "/wp-json/appointease/v1/unlock-slot", || post(pages::unlock)),
    route("POST", "/wp-json/appointease/v1/realtime/check-slot", || post(pages::check)),
    route("POST", "/wp-json/appointease/v1/check-slot", || post(pages::check)),
    route("POST", "/wp-json/appointease/v1/realtime/availability", || post(pages::availability)),
    route("POST", "/wp-json/appointease/v1/availability", || post(pages::availability)),
    route("POST", "/wp-json/appointease/v1/realtime/reschedule-availability", || post(pages::availability)),
    route("POST", "/wp-json/appointease/v1/reschedule-availability", || post(pages::availability)),
    route("POST", "/wp-json/booking/v1/availability", || post(pages::availability)),
    route("POST", "/broadcast", || post(backend::broadcast)),
    route("GET", "/debug", || get(backend::debug)),
    route("GET", "/health", || get(portico::health)),
    route("GET", "/wss/health", || get(portico::health)),
    route("POST", "/wss-publish", || post(portico::publish)),
];

/// All routes over a running server.
pub fn router(hub: Arc<Hub>) -> Router {
    let routes =
        ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.answer)()));
    let routes = routes.method_not_allowed_fallback(otherwise);
    let prefixed = routes.clone().fallback(nowhere).with_state(hub.clone());
    routes
        .fallback(move |request| elsewhere(prefixed, request))
        .layer(from_fn_with_state(hub.clone(), cors::around))
        .layer(from_fn_with_state(hub.clone(), socketio::around))
        .with_state(hub)
}

/// A path that is no route: one of the Pusher dialect's behind a prefix, which its libraries can be told to
/// use, or nothing.
async fn elsewhere(mut routes: Router, mut request: Request) -> Response {
    match pusher::without_prefix(request.uri()) {
        Some((uri, path)) => {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(path);
            match routes.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        None => nowhere().await.into_response(),
    }
}

async fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "there is no such route; /openapi.json lists all of them")
}

async fn otherwise() -> Problem {
    let sentence = "this route has other methods; the `Allow` header and /openapi.json list them";
    Problem::new(Code::MethodNotAllowed, sentence)
}
