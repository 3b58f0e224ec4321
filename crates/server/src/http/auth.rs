//! Who asks: a backend by its secret or its signature, a user by a token, a browser by its cookie.

use deskbell_core::access::Identity;
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::signature;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::problem::Problem;
use super::query::Query;
use crate::app::{App, Apps};
use crate::clock;
use crate::door::{OwnApp, Peer, VISITOR_COOKIE, is_own_page, visitor_cookie};
use crate::hub::Hub;
use crate::limiter::Purpose;

const FORWARDED_HOST: http::HeaderName = http::HeaderName::from_static("x-forwarded-host");

/// What a request shows for itself, as far as its head tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// The secret of this app.
    Secret(usize),
    /// A token that this app's verifier must judge.
    Token(usize, &'a str),
    /// A signature with this app's secret, which covers the body.
    Signature(usize),
}

/// Reads the proof of a request that needs one.
pub fn proof<'a>(
    apps: &Apps,
    own: OwnApp,
    headers: &'a HeaderMap,
    query: &Query,
) -> Result<Proof<'a>, Refusal> {
    if let Some(bearer) = bearer(headers) {
        return of_bearer(apps, own, query, bearer);
    }
    if query.get("auth_signature").is_none() {
        return Err(no("send `Authorization: Bearer` with the app's secret or a token, or sign the request"));
    }
    let app = query.get("auth_key").and_then(|key| apps.of_key(key));
    let app =
        app.ok_or_else(|| no("`auth_key` is the key of no app here; take key and secret of one app"))?;
    Ok(Proof::Signature(app.index))
}

/// The app's key in the query chooses the app; without it a secret finds its own, and a token is for
/// the app of the listener.
fn of_bearer<'a>(apps: &Apps, own: OwnApp, query: &Query, bearer: &'a str) -> Result<Proof<'a>, Refusal> {
    let named = named(apps, query)?;
    let mut asked = apps.iter().filter(|app| named.is_none_or(|named| named.index == app.index));
    if let Some(app) = asked.find(|app| app.secret.is(bearer)) {
        return Ok(Proof::Secret(app.index));
    }
    let first = named.or(unnamed(apps, own)).filter(|_| is_token_shaped(bearer));
    first.map(|app| Proof::Token(app.index, bearer)).ok_or_else(|| {
        no("this is the secret of no app here; compare it with credentials.toml in the data directory")
    })
}

fn is_token_shaped(bearer: &str) -> bool {
    bearer.bytes().filter(|b| *b == b'.').count() == 2
}

/// The app that the query names.
fn named<'a>(apps: &'a Apps, query: &Query) -> Result<Option<&'a App>, Refusal> {
    let Some(key) = query.get("app") else { return Ok(None) };
    let found = apps.of_key(key);
    let missing = || Refusal::new(Code::NotFound, "no app has this key; take it from the configuration");
    found.map(Some).ok_or_else(missing)
}

/// The app of a request that names none: the listener's, or the first.
fn unnamed(apps: &Apps, own: OwnApp) -> Option<&App> {
    match own.0 {
        Some(id) => apps.of_id(id),
        None => apps.first(),
    }
}

/// The app that a request means before anybody is known: the one that it names, the listener's, or the first.
pub fn meant<'a>(hub: &'a Hub, parts: &Parts, query: &Query) -> Result<&'a App, Refusal> {
    let app = named(&hub.apps, query)?.or(unnamed(&hub.apps, own(parts)));
    app.ok_or_else(|| Refusal::new(Code::NotFound, "there is no app here; configure one"))
}

/// The app of the listener that the request came in by.
pub fn own(parts: &Parts) -> OwnApp {
    parts.extensions.get().copied().unwrap_or_default()
}

/// What stands behind `Bearer` in the `Authorization` header. Other schemes are none of ours: a
/// site behind a password has its browsers send theirs with every request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, bearer) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(bearer.trim()).filter(|bearer| !bearer.is_empty())
}

/// Is the request signed with the app's secret?
pub fn check_signature(app: &App, parts: &Parts, body: &[u8], now: Millis) -> Result<(), Refusal> {
    let request = signature::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        body,
    };
    signature::verify(&request, &app.key, app.secret.expose().as_bytes(), now)
}

/// The other end, as the front door found it out.
pub fn peer(parts: &Parts) -> Peer {
    *parts.extensions.get().expect("the front door names the peer of every request")
}

/// One request more of an address. Backends are not counted: they have shown the secret.
pub fn count(hub: &Hub, peer: &Peer) -> Result<(), Problem> {
    let rate = hub.tuning.load().address_rate;
    hub.limiter.take(Purpose::Address, peer.address, rate, clock::now_ms()).map_err(|wait| {
        let sentence = format!("this address sends too fast; wait {wait} ms and try again");
        Problem::new(Code::RateLimited, sentence).retry_in(wait)
    })
}

/// One request more of an identity. Whoever is new was counted by its address.
pub fn count_identity(hub: &Hub, guest: &Guest) -> Result<(), Problem> {
    if guest.cookie.is_some() {
        return Ok(());
    }
    let rate = hub.tuning.load().identity_rate;
    hub.limiter.take(Purpose::Identity, &guest.identity.principal, rate, clock::now_ms()).map_err(|wait| {
        let sentence = format!("this identity sends too fast; wait {wait} ms and try again");
        Problem::new(Code::RateLimited, sentence).retry_in(wait)
    })
}

/// Somebody who may be nobody: the reader of a stream or a poll.
#[derive(Debug)]
pub struct Guest {
    /// Of which app.
    pub app: usize,
    /// Who.
    pub identity: Identity,
    /// The cookie for a visitor who is new here.
    pub cookie: Option<HeaderValue>,
    /// The browser's own token did not hold. Public channels are open all the same; where somebody
    /// must be known, this is the reason to give.
    pub doubt: Option<Refusal>,
    /// A cookie says who it is. A browser sends it for every page, so the page must be judged too.
    pub by_cookie: bool,
}

/// Finds out who reads: by a token that was sent on purpose, the site's cookie, or the visitor's.
pub async fn guest(hub: &Hub, parts: &Parts, query: &Query) -> Result<Guest, Problem> {
    let known = |app, identity| Guest { app, identity, cookie: None, doubt: None, by_cookie: false };
    let sent =
        bearer(&parts.headers).map(|bearer| of_bearer(&hub.apps, own(parts), query, bearer)).transpose();
    if let Ok(Some(Proof::Secret(app))) = sent {
        return Ok(known(app, Identity::backend()));
    }
    let peer = peer(parts);
    count(hub, &peer)?;
    let app = meant(hub, parts, query)?;
    let token = match sent? {
        Some(Proof::Token(_, token)) => Some(token),
        _ => query.get("token"),
    };
    if let Some(token) = token {
        return Ok(known(app.index, app.verifier.check_and_wait(token, clock::now_ms).await?));
    }
    let site = hub.front.load().auth_cookie.as_deref().and_then(|name| cookie(&parts.headers, name));
    let doubt = match site {
        None => None,
        Some(token) => match app.verifier.check_and_wait(&token, clock::now_ms).await {
            Ok(identity) => return Ok(Guest { by_cookie: true, ..known(app.index, identity) }),
            // Who it is cannot be found out now; that makes nobody a visitor.
            Err(refusal) if refusal.code == Code::Unavailable => return Err(refusal.into()),
            Err(refusal) => Some(refusal),
        },
    };
    let (id, cookie) = visitor(hub, &parts.headers, peer.secure);
    Ok(Guest { cookie, doubt, by_cookie: true, ..known(app.index, Identity::visitor(id)) })
}

/// Refuses what another site's page asks with this visitor's cookies. A page may always read: its
/// browser shows it nothing that `cors.origins` does not allow.
pub fn check_page(hub: &Hub, app: &App, parts: &Parts) -> Result<(), Refusal> {
    let text = |name: http::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN).filter(|_| parts.method != http::Method::GET) else { return Ok(()) };
    let peer = peer(parts);
    let told = text(FORWARDED_HOST).filter(|_| peer.proxied);
    let hosts =
        told.into_iter().chain(text(HOST)).chain(parts.uri.authority().map(http::uri::Authority::as_str));
    if is_own_page(hub, app, origin, hosts, &peer) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::BadOrigin,
        "pages of this origin may not act for a visitor; add it to cors.origins",
    ))
}

/// The visitor whom the cookie names, or a new one and its cookie.
fn visitor(hub: &Hub, headers: &HeaderMap, secure: bool) -> (u64, Option<HeaderValue>) {
    let known = cookie(headers, VISITOR_COOKIE).and_then(|text| hub.seals.open_visitor(&text));
    if let Some(id) = known {
        return (id, None);
    }
    let id = clock::random_u64();
    // The seal is base64url, which every header takes.
    (id, HeaderValue::try_from(visitor_cookie(&hub.seals.visitor(id), secure)).ok())
}

/// The value of the first cookie with this name, without surrounding quotes.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Bytes until the very end: another cookie of the same line may be in a legacy charset.
    let mut pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    pairs.find_map(|pair| {
        let equals = pair.iter().position(|b| *b == b'=')?;
        if pair[..equals].trim_ascii() != name.as_bytes() {
            return None;
        }
        let value = str::from_utf8(pair[equals + 1..].trim_ascii()).ok()?;
        let bare = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
        Some(bare.unwrap_or(value).to_owned())
    })
}

fn no(sentence: &'static str) -> Refusal {
    Refusal::new(Code::Unauthorized, sentence)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{KEY, SECRET, app, apps};
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn judge(authorization: &str, query: &str) -> Result<(usize, bool), Code> {
        let apps = apps();
        let headers = match authorization {
            "" => HeaderMap::new(),
            text => headers(&[("authorization", text)]),
        };
        match proof(&apps, OwnApp::default(), &headers, &Query::parse(Some(query)).unwrap()) {
            Ok(Proof::Secret(app)) => Ok((app, true)),
            Ok(Proof::Token(app, _) | Proof::Signature(app)) => Ok((app, false)),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn a_table_of_proofs() {
        let own = format!("Bearer {SECRET}");
        let second = "Bearer the secret of the second app, long enough";
        for (authorization, query, expected) in [
            (own.as_str(), "", Ok((0, true))),
            (second, "", Ok((1, true))),
            (second, "app=second", Ok((1, true))),
            // A secret opens its own app only.
            (second, &format!("app={KEY}"), Err(Code::Unauthorized)),
            (own.as_str(), "app=nobody", Err(Code::NotFound)),
            (&own.replace("Bearer", "bearer"), "", Ok((0, true))),
            (&own[..own.len() - 1], "", Err(Code::Unauthorized)),
            (&format!("{own}x"), "", Err(Code::Unauthorized)),
            ("Bearer a.b.c", "", Ok((0, false))),
            ("Bearer a.b.c", "app=second", Ok((1, false))),
            ("Bearer", "", Err(Code::Unauthorized)),
            ("Bearer ", "", Err(Code::Unauthorized)),
            ("Basic YTpi", "", Err(Code::Unauthorized)),
            ("", "", Err(Code::Unauthorized)),
            ("", "auth_key=second&auth_signature=00", Ok((1, false))),
            ("", "auth_key=nobody&auth_signature=00", Err(Code::Unauthorized)),
            ("", "auth_key=second", Err(Code::Unauthorized)),
        ] {
            assert_eq!(judge(authorization, query), expected, "{authorization} {query}");
        }
    }

    #[test]
    fn a_token_is_for_the_app_that_is_named_or_else_for_the_listeners() {
        let apps = apps();
        let own = OwnApp(Some(apps[1].id.0));
        let headers = headers(&[("authorization", "Bearer a.b.c")]);
        let meant = |own, query: &str| {
            let query = Query::parse(Some(query)).unwrap();
            let Ok(Proof::Token(app, _)) = proof(&apps, own, &headers, &query) else { panic!("no token") };
            app
        };
        assert_eq!(meant(OwnApp::default(), ""), 0);
        assert_eq!(meant(own, ""), 1);
        assert_eq!(meant(own, &format!("app={KEY}")), 0);
    }

    #[test]
    fn a_signature_covers_method_path_query_and_body() {
        let app = app(0, KEY, SECRET);
        let now = 1_800_000_000_000;
        let sign = |path: &str, body: &[u8]| {
            let request = signature::Request { method: "POST", path, query: "", body };
            format!("{path}?{}", signature::sign(&request, KEY, SECRET.as_bytes(), now))
        };
        let parts = |target: &str| {
            let request = http::Request::post(target).body(()).unwrap();
            request.into_parts().0
        };
        let good = parts(&sign("/v1/publish", b"{}"));
        assert_eq!(check_signature(&app, &good, b"{}", now), Ok(()));
        assert!(check_signature(&app, &good, b"{ }", now).is_err());
        assert!(check_signature(&app, &good, b"{}", now + 601_000).is_err());
        let moved = sign("/v1/publish", b"{}").replace("/v1/publish", "/v1/tokens");
        assert!(check_signature(&app, &parts(&moved), b"{}", now).is_err());
    }

    #[test]
    fn cookies_are_found_over_all_lines() {
        let headers = headers(&[("cookie", "a=1; token=\"x.y\""), ("cookie", " late = z ")]);
        assert_eq!(cookie(&headers, "a").as_deref(), Some("1"));
        assert_eq!(cookie(&headers, "token").as_deref(), Some("x.y"));
        assert_eq!(cookie(&headers, "late").as_deref(), Some("z"));
        assert_eq!(cookie(&headers, "tok"), None);
    }
}
