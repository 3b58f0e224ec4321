//! What a client may ask and what a server may say, in no dialect.
//!
//! A dialect decodes its bytes into a [`Command`] (and keeps to itself what only it echoes), and
//! encodes a [`Notice`] into its bytes. No field of a dialect enters here.

use bytes::Bytes;

use crate::event::{Data, Entry};
use crate::ids::{ChannelName, ConversationId, EventId, EventName, Key, PublicId, ResourceId, UserId};
use crate::limits::Millis;
use crate::log::ResetReason;
use crate::post;
use crate::presence::Presence;
use crate::refusal::Refusal;
use crate::reservation::{Plea, Refused, Span};

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The first frame: who, which session, from where, which channels.
    Hello(Hello),
    /// Renews the identity of a live connection.
    Authenticate {
        /// The new token.
        token: String,
    },
    /// Receive a channel's events.
    Subscribe {
        /// Which channel.
        channel: ChannelName,
        /// The cursor after which to begin; now, where there is none.
        since: Option<String>,
    },
    /// Receive them no more.
    Unsubscribe {
        /// Which channel.
        channel: ChannelName,
    },
    /// Publish an event as a client.
    Publish(Publish),
    /// Who is here?
    Members {
        /// Which channel.
        channel: ChannelName,
    },
    /// Be seen in a channel.
    Enter {
        /// Which channel.
        channel: ChannelName,
        /// What to show, as JSON.
        data: Bytes,
    },
    /// Be seen there no more.
    Leave {
        /// Which channel.
        channel: ChannelName,
    },
    /// Ask something of the ledger.
    Ledger(Box<Plea>),
    /// What is free of a resource?
    Availability(Availability),
    /// Say that somebody looks at a time.
    Select(Slot),
    /// Say that nobody does any more.
    Deselect(Slot),
    /// Ask something of inboxes and conversations.
    Post(Box<post::Plea>),
    /// Look at an inbox or a conversation.
    Look(post::Look),
    /// Say that somebody writes.
    Typing(Typing),
    /// Are you there?
    Ping,
}

/// Somebody writes in a conversation, or has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Who, where that is not whoever says it.
    pub of: Option<UserId>,
    /// It writes.
    pub typing: bool,
}

/// A question for what is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// Of which resource.
    pub resource: ResourceId,
    /// When.
    pub window: Span,
    /// For how long, if beginnings are asked for.
    pub duration: Option<Millis>,
    /// The time from one beginning to the next; the duration, where none is given.
    pub step: Option<Millis>,
    /// For how many units.
    pub units: u32,
}

/// A time of a resource that somebody looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Of which resource.
    pub resource: ResourceId,
    /// When.
    pub span: Span,
}

/// The first frame of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// Who is there.
    pub token: Option<String>,
    /// The resume key of an earlier connection.
    pub resume: Option<String>,
    /// Where the client stands.
    pub cursor: Option<String>,
    /// What it is subscribed to.
    pub channels: Vec<ChannelName>,
}

/// An event that somebody wants to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Where.
    pub channel: ChannelName,
    /// What happened.
    pub name: EventName,
    /// The data.
    pub data: Data,
    /// The idempotency id.
    pub id: Option<EventId>,
    /// The key on a `latest` channel.
    pub key: Option<Key>,
    /// The session that must not get it.
    pub except: Option<PublicId>,
}

/// What the server says. Borrowed: it is encoded at once and never stored.
#[derive(Debug, Clone, Copy)]
pub enum Notice<'a> {
    /// You are connected.
    Welcome {
        /// The session's public id.
        session: PublicId,
        /// The key to come back with.
        resume: &'a str,
        /// Where you stand.
        cursor: &'a str,
        /// How often there is a sign of life.
        heartbeat_ms: Millis,
        /// The earlier session goes on.
        resumed: bool,
    },
    /// You receive this channel.
    Subscribed {
        /// Which channel.
        channel: &'a ChannelName,
        /// Everything since the given cursor will come.
        recovered: bool,
        /// Where you stand.
        cursor: &'a str,
    },
    /// You receive this channel no more.
    Unsubscribed {
        /// Which channel.
        channel: &'a ChannelName,
    },
    /// Something happened.
    Event {
        /// What.
        entry: &'a Entry,
        /// Where you stand now.
        cursor: &'a str,
    },
    /// Everybody who is here.
    Members {
        /// Which channel.
        channel: &'a ChannelName,
        /// Who.
        members: &'a Presence,
        /// Where you stand.
        cursor: &'a str,
    },
    /// Load this channel's state anew.
    Reset {
        /// Which channel; all, where there is none.
        channel: Option<&'a ChannelName>,
        /// Why.
        reason: ResetReason,
        /// Wait a random time up to this before you load, so that not everybody comes at once.
        reload_in_ms: Option<Millis>,
        /// Where you stand now.
        cursor: &'a str,
    },
    /// Done.
    Ok,
    /// Your event was taken.
    Published {
        /// Its id.
        id: &'a EventId,
        /// Where a reader stands who has it.
        cursor: &'a str,
    },
    /// The ledger has answered.
    Ledger {
        /// The members of the answer: a JSON object.
        members: &'a str,
        /// Where a reader stands who has all that it tells of; that and no more.
        cursor: &'a str,
    },
    /// No.
    Error(&'a Refusal),
    /// No, with what is in the way.
    Refused(&'a Refused),
    /// I am here.
    Pong,
    /// The server stops; come back after this time.
    Closing {
        /// When to come back.
        reconnect_in_ms: Millis,
    },
}
