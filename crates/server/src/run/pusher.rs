//! Makes from the settings what an app agrees to in the Pusher dialect.

use deskbell_core::pattern::Pattern;
use deskbell_wire::pusher::trigger::Bounds;

use super::{StartError, outward};
use crate::config::{AppSettings, Settings};
use crate::pusher::{Consent, Terms, rate};

/// The terms of one app: the general ones, and what its own row says otherwise.
pub fn terms(settings: &Settings, app: &AppSettings) -> Result<Terms, StartError> {
    let (general, own) = (&settings.pusher, &app.pusher);
    let public = general.public.iter().map(|text| {
        Pattern::parse(text).map_err(|bad| StartError(format!("pusher.public: \"{text}\": {bad}")))
    });
    Ok(Terms {
        enabled: own.enabled.unwrap_or(general.enabled),
        connections: own.connections.unwrap_or(0),
        client_events: own.client_events.unwrap_or(general.client_events),
        client_rate: rate(own.client_event_rate.unwrap_or(general.client_event_rate)),
        subscription_count: own.subscription_count.unwrap_or(general.subscription_count),
        members: own.members.unwrap_or(general.members),
        bounds: Bounds {
            data: own.data.unwrap_or(general.data),
            channels: general.channels,
            batch: general.batch,
        },
        bare_signatures: own.bare_signatures.unwrap_or(general.bare_signatures),
        public: public.collect::<Result<_, _>>()?,
        consent: consent(own.auth_url.as_ref().or(general.auth_url.as_ref()))?,
    })
}

/// Whom the app wants to be asked.
fn consent(url: Option<&String>) -> Result<Option<Consent>, StartError> {
    let Some(url) = url else { return Ok(None) };
    let consent = Consent::new(url);
    consent.map(Some).map_err(|bad| StartError(format!("pusher.auth_url {}", outward::sentence(bad))))
}
