//! Signatures that an app's secret makes: Pusher-style HTTP requests and signed e-mail addresses.
//!
//! A request is signed as `HMAC-SHA256(secret, METHOD \n path \n query)` in hex, where the query has every
//! parameter but `auth_signature`, with decoded values and lower-case keys, sorted by key. All libraries
//! agree on this for the parameters they send, so the query is taken as it came, whatever it holds.
//!
//! A signed e-mail is `base64url(exp ‖ HMAC-SHA256(secret, "email:" ‖ lower(email) ‖ exp))` without padding,
//! where `exp` is eight bytes, big-endian: the Unix second from which it is no longer valid. `lower` changes
//! ASCII letters only, as PHP's `strtolower` does.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest, Md5};

use deskbell_core::ids::UserId;
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::mac;
use deskbell_core::refusal::{Code, Refusal};

/// Seconds by which a request's clock may differ from ours, in both directions, as Pusher allows.
pub const CLOCK_SKEW: u64 = 600;

/// The parts of an HTTP request that its signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as the client signed it: a prefix that a proxy added is already gone.
    pub path: &'a str,
    /// The query as it came, without the `?`.
    pub query: &'a str,
    /// The body as it came, before anything decompresses it.
    pub body: &'a [u8],
}

/// The key that a query names, from which the app is found. It proves nothing yet.
pub fn auth_key(query: &str) -> Option<String> {
    let parameters = parameters(query);
    let key = only_one(&parameters, "auth_key").ok()??;
    String::from_utf8(key.to_vec()).ok()
}

/// Is this request signed with the app's secret, now, for this body?
pub fn verify(request: &Request<'_>, key: &str, secret: &[u8], now: Millis) -> Result<(), Refusal> {
    let parameters = parameters(request.query);
    let need = |name: &str| {
        only_one(&parameters, name)?
            .ok_or_else(|| no(format!("the query has no `{name}`; sign the request with the app's secret")))
    };
    if need("auth_key")? != key.as_bytes() {
        return Err(no("`auth_key` is not the key of this app; check app id and key together"));
    }
    if need("auth_version")? != b"1.0" {
        return Err(no("`auth_version` must be 1.0"));
    }
    check_clock(need("auth_timestamp")?, now)?;
    check_body(only_one(&parameters, "body_md5")?, request.body)?;
    let signature = from_hex(need("auth_signature")?)
        .ok_or_else(|| no("`auth_signature` must be 64 hexadecimal digits"))?;
    if !mac::verify(secret, &[signed_text(request, &parameters).as_slice()], &signature) {
        return Err(no(
            "`auth_signature` does not fit; check the secret, and that no proxy changes the path",
        ));
    }
    Ok(())
}

/// Signs a request, whose query holds its own parameters only, and returns the whole query to send.
pub fn sign(request: &Request<'_>, key: &str, secret: &[u8], now: Millis) -> String {
    let mut query = format!("auth_key={key}&auth_timestamp={}&auth_version=1.0", now / SECOND);
    if !request.body.is_empty() {
        query.push_str("&body_md5=");
        query.push_str(&hex(&Md5::digest(request.body)));
    }
    if !request.query.is_empty() {
        query.push('&');
        query.push_str(request.query);
    }
    let text = signed_text(&Request { query: &query, ..*request }, &parameters(&query));
    let signature = hex(&mac::tag(secret, &[text.as_slice()]));
    query + "&auth_signature=" + &signature
}

/// Signs an e-mail address until the Unix second `exp`.
pub fn sign_email(secret: &[u8], email: &str, exp: u64) -> String {
    let exp = exp.to_be_bytes();
    let tag = mac::tag(secret, &[b"email:", email.to_ascii_lowercase().as_bytes(), &exp]);
    URL_SAFE_NO_PAD.encode([exp.as_slice(), tag.as_slice()].concat())
}

/// Who is it? The address in lower case, where its signature fits and has not expired.
///
/// ```
/// use deskbell_wire::signature::{sign_email, verify_email};
/// let sig = sign_email(b"secret", "Ann@Example.org", 2_000);
/// let user = verify_email(b"secret", "ann@example.org", &sig, 1_999_000).unwrap();
/// assert_eq!(user.as_str(), "ann@example.org");
/// assert!(verify_email(b"secret", "ann@example.org", &sig, 2_000_000).is_err());
/// ```
pub fn verify_email(secret: &[u8], email: &str, sig: &str, now: Millis) -> Result<UserId, Refusal> {
    let email = email.to_ascii_lowercase();
    let user = UserId::parse(&email)?;
    let forged = || no("`sig` does not fit this e-mail address; make one with `deskbell sign-email`");
    // 40 bytes are 54 letters; nothing longer is worth decoding.
    let bytes = Some(sig).filter(|sig| sig.len() == 54).and_then(|sig| URL_SAFE_NO_PAD.decode(sig).ok());
    let bytes = bytes.ok_or_else(forged)?;
    let (exp, tag) = bytes.split_first_chunk::<8>().ok_or_else(forged)?;
    if !mac::verify(secret, &[b"email:", email.as_bytes(), exp], tag) {
        return Err(forged());
    }
    if u64::from_be_bytes(*exp) <= now / SECOND {
        let message = "the signed e-mail address has expired; make a new `sig` with `deskbell sign-email`";
        return Err(Refusal::new(Code::TokenExpired, message));
    }
    Ok(user)
}

/// One parameter of a query, decoded. Keys are in lower case.
struct Parameter {
    key: Vec<u8>,
    value: Vec<u8>,
    /// It stood as `key[0]`.
    listed: bool,
}

/// All parameters, sorted by key; those of one key stay in the order in which they came.
fn parameters(query: &str) -> Vec<Parameter> {
    let mut list: Vec<Parameter> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let mut key = decoded(key).to_ascii_lowercase();
            let name = list_name(&key).map(<[u8]>::len);
            key.truncate(name.unwrap_or(key.len()));
            Parameter { key, value: decoded(value), listed: name.is_some() }
        })
        .collect();
    list.sort_by(|a, b| a.key.cmp(&b.key));
    list
}

/// `info` of `info[0]` and of `info[]`.
fn list_name(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|b| *b == b'[')?;
    let digits = key[open + 1..].strip_suffix(b"]")?;
    digits.iter().all(u8::is_ascii_digit).then_some(&key[..open])
}

/// The text that is signed. PHP sends a list as `info[0]=a&info[1]=b` and signs it as `info=a,b`.
fn signed_text(request: &Request<'_>, parameters: &[Parameter]) -> Vec<u8> {
    let mut text = format!("{}\n{}\n", request.method.to_ascii_uppercase(), request.path).into_bytes();
    let mut last: Option<&Parameter> = None;
    for parameter in parameters.iter().filter(|parameter| parameter.key != b"auth_signature") {
        match last {
            Some(last) if last.listed && parameter.listed && last.key == parameter.key => text.push(b','),
            _ => {
                text.extend(last.map(|_| b'&'));
                text.extend_from_slice(&parameter.key);
                text.push(b'=');
            }
        }
        text.extend_from_slice(&parameter.value);
        last = Some(parameter);
    }
    text
}

/// A parameter that decides something: which of two would count, nobody could tell.
fn only_one<'a>(parameters: &'a [Parameter], name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut found = parameters.iter().filter(|parameter| parameter.key == name.as_bytes());
    let first = found.next();
    match found.next() {
        Some(_) => Err(no(format!("the query has `{name}` twice; send it once"))),
        None => Ok(first.map(|parameter| parameter.value.as_slice())),
    }
}

fn check_clock(timestamp: &[u8], now: Millis) -> Result<(), Refusal> {
    let now = now / SECOND;
    let digits = std::str::from_utf8(timestamp).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    let signed_at: u64 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| no("`auth_timestamp` must be the time of signing in Unix seconds"))?;
    if signed_at.abs_diff(now) > CLOCK_SKEW {
        return Err(no(format!(
            "`auth_timestamp` is {signed_at}, but the server's clock says {now}; \
             they may differ by {CLOCK_SKEW} seconds, so set the clock of the sender"
        )));
    }
    Ok(())
}

/// Python sends `body_md5` of nothing with a GET; PHP and node send none then.
fn check_body(body_md5: Option<&[u8]>, body: &[u8]) -> Result<(), Refusal> {
    match body_md5 {
        None if body.is_empty() => Ok(()),
        None => Err(no("a request with a body needs `body_md5`, so that its signature covers the body")),
        Some(sent) if sent.eq_ignore_ascii_case(hex(&Md5::digest(body)).as_bytes()) => Ok(()),
        Some(_) => Err(no("`body_md5` does not fit the body; hash the very bytes that are sent")),
    }
}

/// Percent signs and `+` decoded as in a form; a percent sign without two digits stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
    }
    out
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).map(|digit| digit as u8)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing into memory cannot fail");
        out
    })
}

pub(crate) fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn no(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::Unauthorized, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "278d425bdf160c739803";
    const SECRET: &[u8] = b"7ad3773142a6692b25b8";
    const NOW: Millis = 1_353_088_179_000;
    const BODY: &[u8] = br#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
    const COMMON: &str = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0";

    fn post(query: &str) -> Request<'_> {
        Request { method: "POST", path: "/apps/3/events", query, body: BODY }
    }

    fn get(query: &str) -> Request<'_> {
        Request { method: "GET", path: "/apps/3/channels", query, body: b"" }
    }

    /// The vector that Pusher publishes for all library authors.
    fn published() -> String {
        format!(
            "{COMMON}&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature=\
             da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
        )
    }

    #[test]
    fn the_published_vector_fits_both_ways() {
        assert_eq!(verify(&post(&published()), KEY, SECRET, NOW), Ok(()));
        assert_eq!(sign(&post(""), KEY, SECRET, NOW), published());
        assert_eq!(auth_key(&published()).as_deref(), Some(KEY));
    }

    /// Signatures computed apart from this code, over queries as the libraries write them.
    #[test]
    fn queries_of_the_libraries_fit() {
        let own = "filter_by_prefix=presence-&info=user_count,subscription_count";
        let plain = "ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d";
        let python = "body_md5=d41d8cd98f00b204e9800998ecf8427e&auth_signature=\
                      768aaa075988b9d73b4a3b232b6e1dd9c207a55223438c0c36900e7eb2b5e182";
        let spaced = "7468f9df00c7a931afd2fc5d0a752141bd4e71279f27becfded81fb69cdb2d6e";
        for query in [
            format!("{COMMON}&{own}&auth_signature={plain}"),
            format!("auth_signature={plain}&{own}&{COMMON}"),
            format!(
                "{COMMON}&INFO=user_count%2csubscription_count&filter_by_prefix=presence%2D\
                 &auth_signature={plain}"
            ),
            format!(
                "{COMMON}&filter_by_prefix=presence-&info%5B0%5D=user_count&info[1]=subscription_count\
                 &auth_signature={plain}"
            ),
            format!("&{COMMON}&&{own}&auth_signature={}", plain.to_uppercase()),
            format!("{COMMON}&{own}&{python}"),
            format!("{COMMON}&note=a+b%2Bc%26d&auth_signature={spaced}"),
        ] {
            assert_eq!(verify(&get(&query), KEY, SECRET, NOW), Ok(()), "{query}");
        }
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let good = published();
        let swapped = |from: &str, to: &str| good.replace(from, to);
        let table = [
            (swapped("auth_key=278d425bdf160c739803&", ""), "no `auth_key`"),
            (swapped("auth_key=2", "auth_key=3"), "not the key of this app"),
            (swapped("auth_version=1.0", "auth_version=1.1"), "must be 1.0"),
            (swapped("&auth_version=1.0", ""), "no `auth_version`"),
            (swapped("1353088179", "1353088178"), "does not fit; check the secret"),
            (swapped("1353088179", "+1353088179"), "Unix seconds"),
            (swapped("1353088179", "99999999999999999999"), "Unix seconds"),
            (swapped("&body_md5=ec365a775a4cd0599faeb73354201b6f", ""), "needs `body_md5`"),
            (swapped("ec365a", "ec365b"), "does not fit the body"),
            (swapped("da4548", "da4549"), "does not fit; check the secret"),
            (swapped("da4548", "da454"), "64 hexadecimal digits"),
            (swapped("da4548", "da454g"), "64 hexadecimal digits"),
            (format!("{good}&info=user_count"), "does not fit; check the secret"),
            (format!("{good}&auth_timestamp=1353088179"), "`auth_timestamp` twice"),
            (format!("{good}&AUTH_KEY=x"), "`auth_key` twice"),
            (String::new(), "no `auth_key`"),
        ];
        for (query, expected) in table {
            let refusal = verify(&post(&query), KEY, SECRET, NOW).unwrap_err();
            assert_eq!(refusal.code, Code::Unauthorized, "{query}");
            assert!(refusal.message.contains(expected), "{query}: {refusal}");
        }
        assert!(verify(&Request { method: "PUT", ..post(&good) }, KEY, SECRET, NOW).is_err());
        assert!(verify(&Request { path: "/apps/4/events", ..post(&good) }, KEY, SECRET, NOW).is_err());
        assert!(verify(&Request { body: b"{}", ..post(&good) }, KEY, SECRET, NOW).is_err());
        assert!(verify(&post(&good), KEY, b"another secret", NOW).is_err());
    }

    #[test]
    fn the_clock_may_differ_by_ten_minutes() {
        let good = published();
        for (now, fits) in [
            (NOW - 600_000, true),
            (NOW - 601_000, false),
            (NOW + 600_999, true),
            (NOW + 601_000, false),
            (0, false),
            (Millis::MAX, false),
        ] {
            assert_eq!(verify(&post(&good), KEY, SECRET, now).is_ok(), fits, "{now}");
        }
        let refusal = verify(&post(&good), KEY, SECRET, NOW + 700_000).unwrap_err();
        assert!(refusal.message.contains("1353088879"), "{refusal}");
    }

    #[test]
    fn a_signed_e_mail_holds_until_it_expires() {
        // Computed apart from this code.
        let sig = "AAAAAFCmfLMCEoaN5XvCMuRW0xRDPAb9XooU9GnEoDox_mzKpbkEWw";
        assert_eq!(sign_email(SECRET, "Ann@Example.ORG", 1_353_088_179), sig);
        let verified = |email, sig: &str, now| {
            verify_email(SECRET, email, sig, now).map(|user| user.to_string()).map_err(|no| no.code)
        };
        assert_eq!(verified("ANN@example.org", sig, NOW - 1), Ok("ann@example.org".to_owned()));
        assert_eq!(verified("ann@example.org", sig, NOW), Err(Code::TokenExpired));
        assert_eq!(verified("bob@example.org", sig, NOW - 1), Err(Code::Unauthorized));
        assert_eq!(verified("ann@example.org", &sig[..53], NOW - 1), Err(Code::Unauthorized));
        assert_eq!(verified("ann@example.org", &format!("{sig}=="), NOW - 1), Err(Code::Unauthorized));
        assert_eq!(verified("ann@example.org", "", NOW - 1), Err(Code::Unauthorized));
        assert_eq!(verified("", &sign_email(SECRET, "", 9_999_999_999), NOW), Err(Code::BadField));
        assert_eq!(verify_email(b"other", "ann@example.org", sig, 0).unwrap_err().code, Code::Unauthorized);
        // Nobody stretches the time that he was given, and every byte counts.
        for place in 0..40 {
            let mut bytes = URL_SAFE_NO_PAD.decode(sig).unwrap();
            bytes[place] ^= 1;
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(verified("ann@example.org", &forged, 0), Err(Code::Unauthorized), "{place}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_fits_and_nothing_else(
            query in "([a-zA-Z_]{1,8}(\\[[0-9]?\\])?=[ -~]{0,8}&){0,4}",
            body: Vec<u8>,
            flip in 0usize..64,
        ) {
            let request = Request { method: "POST", path: "/apps/1/events", query: &query, body: &body };
            let signed = sign(&request, KEY, SECRET, NOW);
            let request = Request { query: &signed, ..request };
            prop_assert_eq!(verify(&request, KEY, SECRET, NOW), Ok(()));
            let place = signed.len() - 64 + flip;
            let other = if signed.as_bytes()[place] == b'0' { "1" } else { "0" };
            let mut forged = signed.clone();
            forged.replace_range(place..=place, other);
            let forged = Request { query: &forged, ..request };
            prop_assert!(verify(&forged, KEY, SECRET, NOW).is_err());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(query in "\\PC{0,200}", sig in "\\PC{0,80}") {
            prop_assert!(verify(&get(&query), KEY, SECRET, NOW).is_err());
            prop_assert!(verify_email(SECRET, "ann@example.org", &sig, 0).is_err());
        }
    }
}
