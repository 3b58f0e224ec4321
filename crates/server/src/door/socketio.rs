//! May this request open a session of Engine.IO, or go on with one?
//!
//! Whoever shows a token that does not hold is let in as a visitor: its page asks for a namespace next, and hears
//! the reason there, where its library can tell it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deskbell_core::access::Identity;
use deskbell_core::refusal::Code;
use deskbell_wire::engineio::Sid;
use deskbell_wire::engineio::asked::{Fault, Wish};
use deskbell_wire::http_head::Head;
use deskbell_wire::plain::is_portico_engine;
use deskbell_wire::portico::session::Hail;
use deskbell_wire::route::Asked;
use deskbell_wire::socketio::Program;

use super::admit::{VISITOR_COOKIE, check_origin, named_app, page_of, visitor_cookie};
use super::{Peer, Place, Seat};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::shard::Opening;

/// Bytes of cookies that are kept of a connection, to be shown to its site's backend.
const KEPT_COOKIES: usize = 4 * 1024;

/// The parameter of the query by which a client says whether it takes an argument more.
const RECOVERY: &str = "recovery";

/// Who opens a session, and how.
#[derive(Debug)]
pub struct Guest {
    /// The app's index.
    pub app: usize,
    /// Who.
    pub identity: Identity,
    /// Counts the connection.
    pub seat: Seat,
    /// How it begins.
    pub opening: Opening,
    /// Cookies that it is given.
    pub cookies: Vec<String>,
}

/// Lets a request in that was understood.
pub async fn let_in(
    hub: &Arc<Hub>,
    place: Place,
    head: &Head<'_>,
    peer: &Peer,
    wished: deskbell_wire::engineio::asked::Asked,
) -> Result<Guest, (Fault, Code)> {
    if hub.draining.load(Ordering::Relaxed) {
        return Err((Fault::Forbidden, Code::Draining));
    }
    let app = named_app(hub, place.app, head).map_err(|_| (Fault::Forbidden, Code::NotFound))?;
    let terms = app.socketio.load();
    check_origin(hub, app, head, peer).map_err(|_| (Fault::Forbidden, Code::BadOrigin))?;
    let (sid, upgrades) = match wished.wish {
        Wish::Upgrade(sid) => (sid, true),
        _ => (Sid::from_random(clock::random_bytes()), false),
    };
    let seat = hub.seat(peer.address);
    let seat = seat.and_then(|seat| if upgrades { Ok(seat) } else { seat.not_used_yet() });
    let seat = seat.map_err(|refusal| (Fault::Forbidden, refusal.code))?;
    let (identity, new_visitor) = identify(hub, app, head).await;
    let hail = hail(hub, place, head);
    // What these pages missed is told by the id of their session.
    let takes = if hail.is_some() { [false; 2] } else { takes(head, terms.recovery) };
    // They are kept only where somebody may ask for them, and a browser's few fit.
    let asks = terms.backend.is_some();
    let cookie = head.header("cookie").filter(|cookie| asks && cookie.len() <= KEPT_COOKIES);
    let opening = Opening { sid, takes, upgrades, cookie: cookie.map(Into::into), hail };
    let mut cookies: Vec<String> =
        new_visitor.map(|id| visitor_cookie(&hub.seals.visitor(id), peer.secure)).into_iter().collect();
    if let Some(name) = hub.front.load().socketio.sticky_cookie.as_deref().filter(|_| !upgrades) {
        let secure = if peer.secure { "; Secure" } else { "" };
        cookies.push(format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", sid.to_text()));
    }
    Ok(Guest { app: app.index, identity, seat, opening, cookies })
}

/// What the cookies of a page of the Portico dialect say; nothing, where it is another client.
fn hail(hub: &Hub, place: Place, head: &Head<'_>) -> Option<Box<Hail>> {
    let asked = Asked {
        method: head.method(),
        path: head.path(),
        query: head.query(),
        cookies: head.header("cookie"),
    };
    let is_page = hub.front.load().portico && is_portico_engine(&asked, place.root);
    is_page.then(|| Box::new(page_of(place, head)))
}

/// Whether this client takes an argument more with each event, anew and when it comes back.
fn takes(head: &Head<'_>, configured: Option<bool>) -> [bool; 2] {
    let said = head.query_pairs().find(|(name, _)| name == RECOVERY).and_then(|(_, word)| match &*word {
        "on" | "1" | "true" => Some(true),
        "off" | "0" | "false" => Some(false),
        _ => None,
    });
    let wish = if configured == Some(false) { configured } else { said.or(configured) };
    let program = Program { agent: head.header("user-agent"), origin: head.header("origin"), wish };
    [false, true].map(|comes_back| program.takes_offsets(comes_back))
}

/// Who asks: by a token, a cookie of the site, or a visitor's own.
async fn identify(hub: &Hub, app: &App, head: &Head<'_>) -> (Identity, Option<u64>) {
    let bearer = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if bearer.is_some_and(|token| app.secret.is(token)) {
        return (Identity::backend(), None);
    }
    let query = head.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
    let front = hub.front.load_full();
    let names = front.auth_cookie.iter().chain(&front.socketio.token_cookie);
    let cookies = names.filter_map(|name| head.cookie(name).map(str::to_owned));
    for token in bearer.map(str::to_owned).into_iter().chain(query).chain(cookies) {
        if let Ok(identity) = app.verifier.check_and_wait(&token, clock::now_ms).await {
            return (identity, None);
        }
        if let Ok(identity) = app.site.check(&token, clock::now_ms()).settled() {
            return (identity, None);
        }
    }
    let known = head.cookie(VISITOR_COOKIE).and_then(|text| hub.seals.open_visitor(text));
    let id = known.unwrap_or_else(clock::random_u64);
    (Identity::visitor(id), known.is_none().then_some(id))
}
