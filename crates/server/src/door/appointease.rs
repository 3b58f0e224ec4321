//! May this page of the AppointEase dialect connect, and who is it?
//!
//! An e-mail address that the site has signed is that person. One that is only said is nobody's proof: its page is a
//! visitor, as every browser is; in development mode it is taken at its word, because the original's pages say
//! nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deskbell_core::access::Identity;
use deskbell_core::ids::UserId;
use deskbell_wire::appointease::hail::{self, Who};
use deskbell_wire::http_head::Head;
use deskbell_wire::route::Dialect;
use deskbell_wire::signature::verify_email;
use deskbell_wire::websocket::handshake::Accept;

use super::Peer;
use super::admit::{Admitted, check_origin, identify, named_app, stopping, visitor_cookie};
use super::refused::Refused;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;

/// Decides about a page that wants to connect.
pub(super) async fn let_in(
    hub: &Arc<Hub>,
    own: Option<u64>,
    head: &Head<'_>,
    peer: &Peer,
    accept: Accept,
) -> Result<Admitted, Refused> {
    if hub.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let app = named_app(hub, own, head)?;
    check_origin(hub, app, head, peer)?;
    let seat = hub.seat(peer.address)?;
    let said = hail::read(head.path(), head.query());
    let (identity, who, new_visitor) = match person(app, &said)? {
        Some((identity, email)) => (identity, Who::email(&email), None),
        None => {
            let (identity, new_visitor) = identify(hub, app, head).await?;
            let who = match identity.user_id() {
                Some(user) => Who::email(user),
                None => Who::anonymous(clock::now_ms(), clock::random_u64()),
            };
            (identity, who, new_visitor)
        }
    };
    let cookie = new_visitor.map(|id| visitor_cookie(&hub.seals.visitor(id), peer.secure));
    let headers: Vec<_> = cookie.iter().map(|cookie| ("Set-Cookie", cookie.as_str())).collect();
    let mut greeting = Vec::with_capacity(256);
    accept
        .write_response(&mut greeting, &headers)
        .map_err(|error| Refused::plain(500, "unavailable", &error.to_string()))?;
    Ok(Admitted {
        app: app.index,
        identity: Arc::new(identity),
        peer: *peer,
        seat,
        greeting,
        dialect: Dialect::AppointEase,
        deflate: false,
        echo: false,
        opening: None,
        hail: None,
        who: Some(who),
    })
}

/// The person that an address is of, where that is proven or believed. A proof that does not hold is refused: a page
/// that was signed once shall not become somebody else in silence.
fn person(app: &App, said: &hail::Hail) -> Result<Option<(Identity, String)>, Refused> {
    let Some(email) = &said.email else { return Ok(None) };
    let trusting = app.appointease.terms.load().as_ref().is_some_and(|terms| terms.trusting);
    let user = match &said.sig {
        Some(sig) => {
            let secret = app.secret.expose();
            Some(verify_email(secret.as_bytes(), email, sig, clock::now_ms())?)
        }
        None if trusting => UserId::parse(&email.to_ascii_lowercase()).ok(),
        None => None,
    };
    Ok(user.map(|user| (Identity::user(user), email.clone())))
}
