//! Which events an endpoint gets, and which of them must reach it in their order.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::event::{Event, Form};
use crate::pattern::Pattern;

/// Which events an endpoint gets: those whose channel and name both fit one of the patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// Patterns of channels.
    pub channels: Vec<Pattern>,
    /// Patterns of the names of events.
    pub events: Vec<Pattern>,
}

impl Wants {
    /// Does the endpoint get this event?
    pub fn takes(&self, event: &Event) -> bool {
        let fits =
            |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name, None));
        fits(&self.channels, event.channel.as_str()) && fits(&self.events, event.name.as_str())
    }
}

/// What an event is about: a booking, an entry of a waitlist, or else its channel. Of one lane one event at a
/// time is on its way, and a later one waits for the earlier one; other lanes overtake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub Arc<str>);

#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow, default)]
    reservation: Option<Named<'a>>,
    #[serde(borrow, default)]
    wait: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl Lane {
    /// The lane of an event. Every audience's event of one booking has the same.
    pub fn of(event: &Event) -> Self {
        let about = match event.data.form {
            Form::Json => serde_json::from_slice::<About<'_>>(&event.data.bytes).ok(),
            Form::Text | Form::Args => None,
        };
        let named = about.and_then(|about| about.reservation.or(about.wait));
        match named {
            Some(named) => Self(Arc::from(format!("booking:{}", named.id))),
            None => Self(Arc::from(event.channel.as_str())),
        }
    }
}
