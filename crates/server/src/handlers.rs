//! Backends that handle events of Socket.IO clients themselves: each event is a request, and its reply is the client's
//! answer. Nothing is repeated, as with a handler inside of a server: who needs that asks again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::socketio::handler;
use deskbell_wire::webhook::{self, Secret};
use http::{Method, header};
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::clock;
use crate::outbound::Address;

/// Bytes of a reply: what an application answers an event with.
const REPLY: usize = 64 * 1024;

/// One backend as it is configured.
#[derive(Debug)]
pub struct Handler {
    /// The place of its app in the list of apps.
    pub app: usize,
    /// Where it is.
    pub address: Address,
    /// The namespaces whose events are its own; a `*` at the end of one stands for any rest.
    pub namespaces: Vec<String>,
    /// The events, in the same form.
    pub events: Vec<String>,
    /// What signs; without it one follows from the app's.
    pub secret: Option<Secret>,
    /// Time for its answer.
    pub timeout: Duration,
    /// Requests under way at once. Beyond it a client is refused.
    pub seats: Arc<Semaphore>,
}

/// All backends.
#[derive(Debug, Default)]
pub struct Handlers(Vec<Arc<Handler>>);

impl Handlers {
    /// Takes the backends in.
    pub fn new(handlers: Vec<Handler>) -> Self {
        Self(handlers.into_iter().map(Arc::new).collect())
    }

    /// Whoever handles this event: the first that is configured for it.
    pub fn of(&self, app: usize, namespace: &str, event: &str) -> Option<Arc<Handler>> {
        let covers = |patterns: &[String], name: &str| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => pattern == name,
            })
        };
        let fits = |handler: &&Arc<Handler>| {
            handler.app == app && covers(&handler.namespaces, namespace) && covers(&handler.events, event)
        };
        self.0.iter().find(fits).cloned()
    }
}

impl Handler {
    /// Asks; gives the arguments of the answer.
    pub async fn ask(&self, app_secret: &str, id: &str, body: Vec<u8>) -> Result<String, Refusal> {
        let Ok(_seat) = self.seats.clone().try_acquire_owned() else {
            let sentence = "the backend has as many events to handle as it may; try again in a moment";
            return Err(Refusal::new(Code::RateLimited, sentence));
        };
        match tokio::time::timeout(self.timeout, self.exchange(app_secret, id, body)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(why)) => Err(self.failed(&why)),
            Err(_) => Err(self.failed("it did not answer in time")),
        }
    }

    async fn exchange(&self, app_secret: &str, id: &str, body: Vec<u8>) -> Result<String, String> {
        let timestamp = webhook::timestamp(clock::now_ms());
        let secret = self.secret.clone().unwrap_or_else(|| Secret::derived(app_secret, "socketio"));
        let request = self
            .address
            .request(Method::POST)
            .header(header::CONTENT_TYPE, "application/json")
            .header(webhook::ID, id)
            .header(webhook::TIMESTAMP, timestamp)
            .header(webhook::SIGNATURE, webhook::signatures(&[secret], id, timestamp, &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let (head, reply) = self.address.whole(request, REPLY).await.map_err(|broken| broken.to_string())?;
        if !head.status.is_success() {
            return Err(format!("it answered {}", head.status.as_u16()));
        }
        handler::answer(&reply).ok_or_else(|| "its answer is no JSON".to_owned())
    }

    /// Its operator reads why; the client hears that it did not work.
    fn failed(&self, why: &str) -> Refusal {
        tracing::warn!(address = %self.address.name(), %why, "an event of a client was not handled");
        Refusal::new(Code::Unavailable, "the backend did not handle this event; try again in a moment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(app: usize, namespace: &str, event: &str) -> Handler {
        let patterns = |text: &str| vec![text.to_owned()];
        Handler {
            app,
            address: Address::new("http://127.0.0.1:9/", None).unwrap(),
            namespaces: patterns(namespace),
            events: patterns(event),
            secret: None,
            timeout: Duration::from_secs(1),
            seats: Arc::new(Semaphore::new(0)),
        }
    }

    #[test]
    fn the_first_that_fits_handles_an_event() {
        let handlers =
            Handlers::new(vec![handler(0, "/", "rate"), handler(0, "*", "r*"), handler(1, "*", "*")]);
        let found = |app, namespace, event| {
            let found = handlers.of(app, namespace, event)?;
            handlers.0.iter().position(|known| Arc::ptr_eq(known, &found))
        };
        assert_eq!(found(0, "/", "rate"), Some(0));
        assert_eq!(found(0, "/chat", "rate"), Some(1));
        assert_eq!(found(0, "/", "other"), None);
        assert_eq!(found(0, "/", "Rate"), None);
        assert_eq!(found(1, "/", "other"), Some(2));
    }

    #[tokio::test]
    async fn beyond_its_bound_a_client_is_refused_at_once() {
        let refused = handler(0, "*", "*").ask("s", "e-1", Vec::new()).await.unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
    }
}
