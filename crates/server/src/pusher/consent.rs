//! Asks an app's own authorisation endpoint whether a client may have a channel, or who it is: with the client's
//! own cookies and headers, as if the page had asked it there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::outbound::{Address, BadAddress};

/// What of a client's request says who it is, or is asked for by a site that protects itself.
const PASSED_ON: [HeaderName; 8] = [
    header::COOKIE,
    header::AUTHORIZATION,
    header::ACCEPT_LANGUAGE,
    header::ORIGIN,
    header::REFERER,
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-xsrf-token"),
    HeaderName::from_static("x-requested-with"),
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The endpoint of one app.
#[derive(Debug, Clone)]
pub struct Consent {
    channels: Address,
    users: Address,
    calls: Arc<Semaphore>,
}

/// What is asked there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// May it have this channel?
    Channel,
    /// Which user is it?
    User,
}

impl Consent {
    /// Reads the address for channels. The one for users stands beside it, as Laravel has it:
    /// `/broadcasting/auth` and `/broadcasting/user-auth`.
    pub fn new(url: &str) -> Result<Self, BadAddress> {
        let plain = url.split(['?', '#']).next().unwrap_or(url);
        let (folder, last) = plain.rsplit_once('/').unwrap_or((plain, "auth"));
        Ok(Self {
            channels: Address::new(url, None)?,
            users: Address::new(&format!("{folder}/user-{last}"), None)?,
            calls: Arc::new(Semaphore::new(limits::CONSENT_CALLS)),
        })
    }

    /// Asks; gives what the app answered with "yes".
    pub async fn ask(
        &self,
        about: About,
        client: &HeaderMap,
        from: IpAddr,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let time = Duration::from_millis(limits::CONSENT_TIME);
        let Ok(answer) = tokio::time::timeout(time, self.call(about, client, from, body)).await else {
            return Err(away("the app's authorisation endpoint does not answer in time; try again"));
        };
        let (status, body) = answer?;
        match status {
            StatusCode::UNAUTHORIZED => Err(no(Code::Unauthorized)),
            StatusCode::FORBIDDEN => Err(no(Code::Denied)),
            status if status.is_success() => Ok(body),
            status => {
                let address = self.channels.name();
                tracing::warn!(%address, status = status.as_u16(), "an app's authorisation endpoint failed");
                Err(away("the app's authorisation endpoint failed; its log says why"))
            }
        }
    }

    async fn call(
        &self,
        about: About,
        client: &HeaderMap,
        from: IpAddr,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Refusal> {
        let address = match about {
            About::Channel => &self.channels,
            About::User => &self.users,
        };
        // After a restart everybody asks at once; whoever waits here too long gives up by its own time.
        let _turn = self.calls.acquire().await.map_err(|_| away("the server is stopping; try again"))?;
        let mut request = address
            .request(Method::POST)
            .header(header::ACCEPT, "application/json")
            .header(FORWARDED_FOR, from.to_string());
        if let Some(kind) = client.get(header::CONTENT_TYPE) {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for name in PASSED_ON {
            for value in client.get_all(&name) {
                request = request.header(&name, value);
            }
        }
        let request = request.body(Full::new(body)).map_err(|_| away("the request cannot be passed on"))?;
        match address.whole(request, limits::CONSENT_ANSWER).await {
            Ok((head, body)) => Ok((head.status, body)),
            Err(why) => {
                let address = address.name();
                tracing::warn!(%address, %why, "an app's authorisation endpoint is not reached");
                Err(away("the app's authorisation endpoint is not reached; try again"))
            }
        }
    }
}

/// What the app says besides yes and no.
pub fn strange() -> Refusal {
    away("the app's authorisation endpoint gave an answer that says neither yes nor no; its log says why")
}

fn no(code: Code) -> Refusal {
    Refusal::new(code, "the app does not let this client have it; sign in there first")
}

fn away(sentence: &'static str) -> Refusal {
    Refusal::new(Code::Unavailable, sentence)
}
