//! Which events an endpoint gets, and which of them must reach it in their order.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::event::{Event, Form};
use crate::limits::{self, Millis};
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

/// What an event is about: a booking, an entry of a waitlist, a user who is notified, or else its channel. Of one
/// lane one event at a time is on its way, and a later one waits for the earlier one; other lanes overtake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub Arc<str>);

#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow, default)]
    reservation: Option<Named<'a>>,
    #[serde(borrow, default)]
    wait: Option<Named<'a>>,
}

/// What a notification says about its way: to whom, and not before when.
#[derive(Deserialize)]
struct Addressed<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(default)]
    not_before: Option<Millis>,
}

/// What is read of a notification, where the event is one that goes by webhook.
fn addressed(event: &Event) -> Option<Addressed<'_>> {
    let notifies = event.data.form == Form::Json && event.channel.as_str().starts_with("webhook:");
    notifies.then(|| serde_json::from_slice(&event.data.bytes).ok()).flatten()
}

/// The hour before which nobody is told of an event: the end of the quiet hours of whoever it is for, if that lies
/// ahead of the event. It comes within [`limits::QUIET_AHEAD`], whatever somebody publishes.
pub fn not_before(event: &Event) -> Option<Millis> {
    let hour = addressed(event)?.not_before?.min(event.at.saturating_add(limits::QUIET_AHEAD));
    (hour > event.at).then_some(hour)
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
        if let Some(named) = named {
            return Self(Arc::from(format!("booking:{}", named.id)));
        }
        match addressed(event) {
            Some(to) => Self(Arc::from(format!("inbox:{}", to.user))),
            None => Self(Arc::from(event.channel.as_str())),
        }
    }
}
