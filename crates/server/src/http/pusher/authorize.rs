//! The authorisation endpoint, for sites that have none or whose backend does not sign: who may have a channel of
//! this dialect, and who somebody is.
//!
//! It signs what the rules of access allow, or what the app's own endpoint agrees to. A channel that shows log
//! channels in the dialect's words is open to whoever may read those.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use deskbell_core::access::{Action, Identity};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::projection::Dialect;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::pusher::consent::{self, Said, Wanted};
use deskbell_wire::pusher::proof::App as Signer;
use deskbell_wire::pusher::{Guard, Member, name};
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;

use super::super::answer;
use super::super::asked::whole;
use super::super::auth;
use super::super::problem::{Problem, bad_field};
use super::super::query::Query;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::pusher::{About, Consent, strange};

/// A question that was taken in.
struct Question<'a> {
    app: &'a App,
    parts: Parts,
    query: Query,
    wanted: Wanted,
    body: Bytes,
    /// Who is asked in place of the rules.
    consent: Option<Consent>,
}

/// A signature for a channel.
pub async fn channel(State(hub): State<Arc<Hub>>, request: Request) -> Result<Response, Problem> {
    let question = question(&hub, request).await?;
    let wanted = &question.wanted.channel_name;
    let channel = name::channel(wanted)?;
    if matches!(Guard::of(wanted), Guard::Public | Guard::User(_)) {
        return Err(bad_field(
            "channel_name",
            "is no private and no presence channel; no other needs a signature",
        )
        .into());
    }
    let is_presence = Guard::of(wanted) == Guard::Presence;
    let member = match &question.consent {
        Some(consent) => match question.ask(consent, About::Channel).await? {
            (Said::Signed, body) => return Ok(answer::json(body)),
            (Said::Agreed { member }, _) => is_presence.then(|| member.ok_or_else(strange)).transpose()?,
        },
        None => {
            let identity = question.identity(&hub).await?;
            may(question.app, &identity, &channel)?;
            is_presence.then(|| consent::as_member(&identity)).transpose()?
        }
    };
    // What is signed must be what a shard takes.
    member.as_deref().map(Member::read).transpose()?;
    let signed = question
        .signed(|signer, socket| consent::for_channel(signer, socket, channel.as_str(), member.as_deref()));
    Ok(answer::json(signed))
}

/// A signature for a user.
pub async fn user(State(hub): State<Arc<Hub>>, request: Request) -> Result<Response, Problem> {
    let question = question(&hub, request).await?;
    let data = match &question.consent {
        Some(consent) => match question.ask_user(consent).await? {
            (None, body) => return Ok(answer::json(body)),
            (Some(data), _) => data,
        },
        None => consent::as_user(&question.identity(&hub).await?)?,
    };
    Ok(answer::json(question.signed(|signer, socket| consent::for_user(signer, socket, &data))))
}

async fn question(hub: &Hub, request: Request) -> Result<Question<'_>, Problem> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query())?;
    let app = auth::meant(hub, &parts, &query)?;
    let terms = app.pusher.load();
    if terms.consent.is_some() {
        // Where the rules decide, it is counted when it is found out who asks.
        auth::count(hub, &auth::peer(&parts))?;
    }
    if !terms.enabled {
        return Err(Problem::new(
            Code::Denied,
            "this app takes no requests of this kind; switch pusher.enabled on",
        ));
    }
    if parts.headers.contains_key(COOKIE) && !parts.headers.contains_key(AUTHORIZATION) {
        auth::check_page(hub, app, &parts)?;
    }
    let patience = Duration::from_millis(limits::BODY_TIME);
    let body = whole(&parts.headers, body, limits::PUSHER_SIGNED, patience).await?;
    let wanted = Wanted::read(&body)?;
    let consent = terms.consent.clone();
    Ok(Question { app, parts, query, wanted, body, consent })
}

impl Question<'_> {
    /// Who asks, as tokens and cookies say.
    async fn identity(&self, hub: &Hub) -> Result<Identity, Problem> {
        let guest = auth::guest(hub, &self.parts, &self.query).await?;
        match guest.doubt {
            Some(doubt) => Err(doubt.into()),
            None => Ok(guest.identity),
        }
    }

    async fn answered(&self, consent: &Consent, about: About) -> Result<Bytes, Refusal> {
        let from = auth::peer(&self.parts).address;
        consent.ask(about, &self.parts.headers, from, self.body.clone()).await
    }

    async fn ask(&self, consent: &Consent, about: About) -> Result<(Said, Bytes), Refusal> {
        let body = self.answered(consent, about).await?;
        Said::read(&body).map(|said| (said, body)).ok_or_else(strange)
    }

    /// The user that the app names, or nothing where it has signed by itself.
    async fn ask_user(&self, consent: &Consent) -> Result<(Option<String>, Bytes), Refusal> {
        let body = self.answered(consent, About::User).await?;
        if Said::read(&body) == Some(Said::Signed) {
            return Ok((None, body));
        }
        consent::user_of(&body).map(|data| (Some(data), body)).ok_or_else(strange)
    }

    fn signed(&self, sign: impl FnOnce(Signer<'_>, &str) -> Vec<u8>) -> Vec<u8> {
        let secret = self.app.secret.expose();
        sign(Signer { key: &self.app.key, secret: secret.as_bytes() }, &self.wanted.socket_id)
    }
}

/// Do the app's rules let somebody have this channel, under its own name, under that name with one prefix, or by
/// what it shows?
fn may(app: &App, identity: &Identity, channel: &ChannelName) -> Result<(), Refusal> {
    let guard = Guard::of(channel.as_str());
    if guard == Guard::Encrypted {
        return Err(Refusal::new(
            Code::Denied,
            "only the app has the key of an encrypted channel; let its own endpoint authorise it",
        ));
    }
    let now = clock::now_ms();
    let single = ChannelName::parse(name::single(channel.as_str()))?;
    let allows = |action, channel: &ChannelName| app.allows(identity, action, channel, now).map(|_| ());
    let rule = |channel: &ChannelName| match guard {
        // To be in it is to be seen in it.
        Guard::Presence => {
            allows(Action::Presence, channel).and_then(|()| allows(Action::Subscribe, channel))
        }
        _ => allows(Action::Subscribe, channel),
    };
    let decided = rule(channel).or_else(|no| rule(&single).map_err(|_| no));
    let Err(no) = decided else { return Ok(()) };
    let sources = app.projections.load().resolve(Dialect::Pusher, single.as_str());
    // What it shows of itself under another name opens nothing.
    let mut others =
        sources.iter().filter(|source| name::single(source.channel.as_str()) != single.as_str()).peekable();
    if guard == Guard::Private
        && others.peek().is_some()
        && others.all(|source| allows(Action::Subscribe, &source.channel).is_ok())
    {
        return Ok(());
    }
    Err(no)
}
