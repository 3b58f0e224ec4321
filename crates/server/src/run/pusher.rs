//! Makes from the settings what apps agree to in the Pusher dialect.

use deskbell_core::pattern::Pattern;
use deskbell_wire::pusher::trigger::Bounds;

use super::StartError;
use crate::config::{AppSettings, Settings};
use crate::pusher::{Consent, Own, Terms, rate};

/// The terms of all apps.
pub fn terms(settings: &Settings) -> Result<Terms, StartError> {
    let wish = &settings.pusher;
    let public = wish.public.iter().map(|text| {
        Pattern::parse(text).map_err(|bad| StartError(format!("pusher.public: \"{text}\": {bad}")))
    });
    Ok(Terms {
        enabled: wish.enabled,
        connections: 0,
        client_events: wish.client_events,
        client_rate: rate(wish.client_event_rate),
        subscription_count: wish.subscription_count,
        members: wish.members,
        bounds: Bounds { data: wish.data, channels: wish.channels, batch: wish.batch },
        bare_signatures: wish.bare_signatures,
        public: public.collect::<Result<_, _>>()?,
        consent: consent(wish.auth_url.as_ref())?,
    })
}

/// What one app of the configuration has otherwise.
pub fn own(app: &AppSettings) -> Own {
    let wish = &app.pusher;
    Own {
        enabled: wish.enabled,
        connections: wish.connections,
        client_events: wish.client_events,
        client_event_rate: wish.client_event_rate,
        subscription_count: wish.subscription_count,
        members: wish.members,
        data: wish.data,
        channels: wish.channels,
        batch: wish.batch,
        bare_signatures: wish.bare_signatures,
        auth_url: wish.auth_url.clone(),
    }
}

/// Whom the app wants to be asked.
fn consent(url: Option<&String>) -> Result<Option<Consent>, StartError> {
    let Some(url) = url else { return Ok(None) };
    let consent = Consent::new(url);
    consent.map(Some).map_err(|bad| StartError(format!("pusher.auth_url {}", bad.sentence())))
}
