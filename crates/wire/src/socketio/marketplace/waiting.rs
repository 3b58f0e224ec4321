//! What is told to users who are not there: it waits in their inbox, and is said when they come back.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::broadcast::Kind;
use deskbell_core::ids::{EventId, Topic};
use deskbell_core::limits;
use deskbell_core::post::Content;

/// An event's data, as far as it is looked at.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Of a notification's data.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A notification as an entry of an inbox, of which its user hears at once; `event` is the data of the event.
/// Nothing, where it has no title, or more than an inbox takes.
pub fn notification(event: &str, id: EventId) -> Option<Content> {
    let event: Event<'_> = serde_json::from_str(event).ok()?;
    let Shown { kind, title: Text(title), message } = serde_json::from_str(event.data.get()).ok()?;
    let message = message.map(|Text(message)| message);
    let fits = !title.is_empty()
        && title.len() <= limits::NOTIFICATION_TITLE
        && message.as_ref().is_none_or(|message| message.len() <= limits::NOTIFICATION_BODY);
    fits.then(|| Content {
        id,
        topic: topic(kind.as_ref().map(|Text(kind)| &**kind), Kind::Notification),
        title: title.into(),
        body: message.map(Into::into),
        data: None,
    })
}

/// Any event as an entry that waits. Nothing, where an inbox does not take so much: whoever is not there misses it.
///
/// ```
/// use deskbell_core::ids::EventId;
/// use deskbell_wire::socketio::marketplace::{broadcast::Kind, waiting};
/// let event = r#"{"type":"booking","action":"accepted","data":{"id":"b-1"},"timestamp":"2026-01-31T09:00:00.000Z"}"#;
/// let content = waiting::waiting(Kind::Booking, event, EventId::parse("e-1").unwrap()).unwrap();
/// assert_eq!((content.topic.as_str(), &*content.title), ("booking", "booking accepted"));
/// let (kind, data) = waiting::told(content.data.as_deref().unwrap()).unwrap();
/// assert_eq!((kind, data.get()), (Kind::Booking, event));
/// ```
pub fn waiting(kind: Kind, event: &str, id: EventId) -> Option<Content> {
    let data = format!(r#"{{"event":"{}","told":{event}}}"#, kind.event());
    if data.len() > limits::NOTIFICATION_DATA {
        return None;
    }
    let data = RawValue::from_string(data).ok();
    let own = (kind == Kind::Notification).then(|| notification(event, id.clone())).flatten();
    if let Some(own) = own {
        return Some(Content { data, ..own });
    }
    let Event { action: Text(action), .. } = serde_json::from_str(event).ok()?;
    let title = cut(format!("{} {action}", kind.as_str()).trim_end()).into();
    Some(Content { id, topic: topic(None, kind), title, body: None, data })
}

/// What waited, by the data of its entry: which event it is, and the event's own data. Nothing, where the entry is
/// another's.
pub fn told(data: &RawValue) -> Option<(Kind, &RawValue)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Waited<'a> {
        #[serde(borrow)]
        event: Text<'a>,
        #[serde(borrow)]
        told: &'a RawValue,
    }
    let Waited { event: Text(event), told } = serde_json::from_str(data.get()).ok()?;
    Some((Kind::ALL.into_iter().find(|kind| kind.event() == event)?, told))
}

/// By what its user may switch it off.
fn topic(named: Option<&str>, kind: Kind) -> Topic {
    let own = named.and_then(|name| Topic::parse(name).ok());
    own.unwrap_or_else(|| Topic::parse(kind.as_str()).expect("the kinds are types of notifications"))
}

fn cut(title: &str) -> &str {
    let end =
        (0..=title.len().min(limits::NOTIFICATION_TITLE)).rev().find(|end| title.is_char_boundary(*end));
    &title[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> EventId {
        EventId::parse("e-1").unwrap()
    }

    fn told_of(data: &str) -> String {
        format!(r#"{{"type":"notification","action":"new_notification","data":{data},"timestamp":"now"}}"#)
    }

    #[test]
    fn a_notification_has_the_inboxes_own_form() {
        let event = told_of(r#"{"type":"info","title":"T\u00e4st","message":"At ten"}"#);
        let content = notification(&event, id()).unwrap();
        assert_eq!((content.topic.as_str(), &*content.title), ("info", "T\u{e4}st"));
        assert_eq!((content.body.as_deref(), content.data.is_none()), (Some("At ten"), true));
        let waits = waiting(Kind::Notification, &event, id()).unwrap();
        assert_eq!((waits.topic.as_str(), &*waits.title), ("info", "T\u{e4}st"));
        assert_eq!(told(waits.data.as_deref().unwrap()).unwrap().1.get(), event);
    }

    #[test]
    fn a_type_that_is_none_is_a_notification() {
        let event = told_of(r#"{"type":"two words","title":"T"}"#);
        assert_eq!(notification(&event, id()).unwrap().topic.as_str(), "notification");
    }

    #[test]
    fn what_no_inbox_shows_is_told_all_the_same_and_waits_under_its_kind() {
        let long = "x".repeat(limits::NOTIFICATION_TITLE + 1);
        for data in
            [r#"{"message":"m"}"#, r#"{"title":""}"#, r#"{"title":7}"#, &format!(r#"{{"title":"{long}"}}"#)]
        {
            let event = told_of(data);
            assert!(notification(&event, id()).is_none(), "{data}");
            let waits = waiting(Kind::Notification, &event, id()).unwrap();
            assert_eq!(&*waits.title, "notification new_notification", "{data}");
        }
    }

    #[test]
    fn what_is_too_large_does_not_wait() {
        let event = |size| {
            format!(r#"{{"type":"booking","action":"a","data":"{}","timestamp":"t"}}"#, "x".repeat(size))
        };
        assert!(waiting(Kind::Booking, &event(limits::NOTIFICATION_DATA - 200), id()).is_some());
        assert!(waiting(Kind::Booking, &event(limits::NOTIFICATION_DATA), id()).is_none());
    }

    #[test]
    fn a_title_is_cut_between_letters() {
        let action = "\u{e9}".repeat(limits::NOTIFICATION_TITLE);
        let event = format!(r#"{{"type":"payment","action":"{action}","data":{{}},"timestamp":"t"}}"#);
        let title = waiting(Kind::Payment, &event, id()).unwrap().title;
        assert!(title.len() <= limits::NOTIFICATION_TITLE && title.starts_with("payment \u{e9}"));
    }

    #[test]
    fn an_entry_of_somebody_else_is_no_event() {
        for data in [
            r#"{"event":"booking_update"}"#,
            r#"{"event":"x","told":1}"#,
            r#"{"event":"booking_update","told":1,"a":2}"#,
            "7",
        ] {
            assert!(told(&RawValue::from_string(data.to_owned()).unwrap()).is_none(), "{data}");
        }
    }
}
