//! The terms of one app.

use deskbell_core::limits;
use deskbell_core::pattern::Pattern;
use deskbell_core::rate::Rate;
use deskbell_wire::pusher::trigger::Bounds;

use serde::{Deserialize, Serialize};

use super::Consent;
use crate::outbound::BadAddress;

/// What one app allows. A reload and the API may change it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Clients may connect, and backends may trigger.
    pub enabled: bool,
    /// Connections at once; 0 is no limit of its own.
    pub connections: usize,
    /// Clients may speak to each other.
    pub client_events: bool,
    /// How often one client may.
    pub client_rate: Rate,
    /// Clients are told how many subscriptions a channel has.
    pub subscription_count: bool,
    /// Members of a presence channel.
    pub members: usize,
    /// What one request may bring.
    pub bounds: Bounds,
    /// A signature without a key is taken for the channel alone, and what comes with it is ignored.
    pub bare_signatures: bool,
    /// Which of the names without a guard are open to whoever has the key.
    pub public: Vec<Pattern>,
    /// Who is asked in place of the app's own rules.
    pub consent: Option<Consent>,
}

/// What one app has otherwise than all apps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Own {
    /// Clients may connect, and backends may trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Connections at once; 0 is no limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// Clients may speak to each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_events: Option<bool>,
    /// How often one client may, in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_event_rate: Option<u32>,
    /// Clients are told how many subscriptions a channel has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_count: Option<bool>,
    /// Members of a presence channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// Bytes of an event's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<usize>,
    /// Channels of one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Events of one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Signatures without a key are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_signatures: Option<bool>,
    /// The app's own authorisation endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_url: Option<String>,
}

impl Own {
    /// The first number that is not within its bounds, with the bounds.
    pub fn beyond(&self) -> Option<(&'static str, usize, usize)> {
        let rate = self.client_event_rate.map(|rate| rate as usize);
        let bounds = [
            ("connections", self.connections, 0, limits::PUSHER_MOST_CONNECTIONS),
            ("client_event_rate", rate, 1, limits::PUSHER_MOST_CLIENT_EVENTS),
            ("members", self.members, 1, limits::PRESENCE_MEMBERS),
            ("data", self.data, limits::PUSHER_LEAST_DATA, limits::PUSHER_MOST_DATA),
            ("channels", self.channels, 1, limits::PUSHER_MOST_LIST),
            ("batch", self.batch, 1, limits::PUSHER_MOST_LIST),
        ];
        let is_beyond = |value: Option<usize>, least, most| value.is_some_and(|v| v < least || v > most);
        let found = bounds.into_iter().find(|(_, value, least, most)| is_beyond(*value, *least, *most));
        found.map(|(name, _, least, most)| (name, least, most))
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            enabled: true,
            connections: 0,
            client_events: true,
            client_rate: rate(limits::PUSHER_CLIENT_EVENTS),
            subscription_count: false,
            members: limits::PUSHER_MEMBERS,
            bounds: Bounds::default(),
            bare_signatures: false,
            public: Vec::new(),
            consent: None,
        }
    }
}

/// So many in a second, and no more at once.
pub fn rate(per_second: u32) -> Rate {
    Rate { per_second, burst: per_second }
}

impl Terms {
    /// These terms with what one app has otherwise.
    pub fn with(&self, own: &Own) -> Result<Self, BadAddress> {
        let consent = own.auth_url.as_deref().map(Consent::new).transpose()?;
        Ok(Self {
            enabled: own.enabled.unwrap_or(self.enabled),
            connections: own.connections.unwrap_or(self.connections),
            client_events: own.client_events.unwrap_or(self.client_events),
            client_rate: own.client_event_rate.map_or(self.client_rate, rate),
            subscription_count: own.subscription_count.unwrap_or(self.subscription_count),
            members: own.members.unwrap_or(self.members),
            bounds: Bounds {
                data: own.data.unwrap_or(self.bounds.data),
                channels: own.channels.unwrap_or(self.bounds.channels),
                batch: own.batch.unwrap_or(self.bounds.batch),
            },
            bare_signatures: own.bare_signatures.unwrap_or(self.bare_signatures),
            public: self.public.clone(),
            consent: consent.or_else(|| self.consent.clone()),
        })
    }

    /// Is a name without a guard open to everybody?
    pub fn is_public(&self, channel: &str) -> bool {
        self.public.iter().any(|pattern| pattern.matches(channel, None))
    }
}
