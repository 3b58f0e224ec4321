//! The terms of one app.

use deskbell_core::limits;
use deskbell_core::pattern::Pattern;
use deskbell_core::rate::Rate;
use deskbell_wire::pusher::trigger::Bounds;

use super::Consent;

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
    /// Is a name without a guard open to everybody?
    pub fn is_public(&self, channel: &str) -> bool {
        self.public.iter().any(|pattern| pattern.matches(channel, None))
    }
}
