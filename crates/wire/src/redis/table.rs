//! Which channel of Redis means what: rows, of which the first that fits a channel decides.

use std::fmt;

use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;

use super::laravel;
use super::reply::Message;
use crate::portico::published as portico;

/// What is written on a channel of Redis, and so what its messages ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Laravel's `redis` broadcaster: the channel stands behind a prefix.
    Laravel,
    /// What PorticoEstate publishes: three channels of fixed names.
    Portico,
}

impl Kind {
    /// The kind with this name in the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "laravel" => Some(Self::Laravel),
            "portico" => Some(Self::Portico),
            _ => None,
        }
    }

    /// Whether its channels are known by how they begin.
    const fn has_prefix(self) -> bool {
        match self {
            Self::Laravel => true,
            Self::Portico => false,
        }
    }
}

/// Channels of Redis: one by its name, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    text: String,
    open: bool,
}

/// Why a text names no channels of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTopic {
    /// A `*` that is not at the end.
    InnerStar,
    /// The kind has a prefix, and a single channel is named.
    NoStar,
    /// The kind has channels of fixed names, and this is none of them.
    NoTopic,
}

impl fmt::Display for BadTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InnerStar => "has a * that is not its last character; a * stands for the rest of a name",
            Self::NoStar => "names one channel of Redis; put a * behind the prefix, as in laravel_database_*",
            Self::NoTopic => {
                "is no channel of PorticoEstate; write notifications, session_messages or room_messages"
            }
        })
    }
}

impl Topic {
    /// Reads a name, or the beginning of names with a `*` behind it, as it fits the kind.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, BadTopic> {
        let (text, open) = text.strip_suffix('*').map_or((text, false), |begin| (begin, true));
        if text.contains('*') {
            return Err(BadTopic::InnerStar);
        }
        if kind.has_prefix() && !open {
            return Err(BadTopic::NoStar);
        }
        if kind == Kind::Portico && (open || portico::Topic::parse(text.as_bytes()).is_none()) {
            return Err(BadTopic::NoTopic);
        }
        Ok(Self { text: text.to_owned(), open })
    }

    /// What to subscribe to by pattern, with everything escaped that means something in one.
    pub fn glob(&self) -> Vec<u8> {
        let mut glob = Vec::with_capacity(self.text.len() + 1);
        for byte in self.text.bytes() {
            if b"*?[]^\\".contains(&byte) {
                glob.push(b'\\');
            }
            glob.push(byte);
        }
        if self.open {
            glob.push(b'*');
        }
        glob
    }

    /// What stands behind the topic in a channel's name, if it fits.
    fn rest<'a>(&self, channel: &'a [u8]) -> Option<&'a [u8]> {
        channel.strip_prefix(self.text.as_bytes()).filter(|rest| self.open || rest.is_empty())
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which channels.
    pub topic: Topic,
    /// What is written there.
    pub kind: Kind,
    /// The place of the app that it feeds in the list of apps.
    pub app: usize,
}

/// All rows, in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(Vec<Row>);

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// To be published in an app.
    Publish(usize, Publish),
    /// What PorticoEstate publishes on one of its channels, to be read on the clock of that app's site.
    Portico(usize, portico::Topic),
    /// Nothing: it comes again, or came before, by the pattern of the row that decides about its channel.
    ByAnother,
    /// Nothing that can be understood.
    Refused(Refusal),
}

impl Table {
    /// A table of these rows.
    pub fn new(rows: Vec<Row>) -> Self {
        Self(rows)
    }

    /// What to subscribe to.
    pub fn globs(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|row| row.topic.glob()).collect()
    }

    /// Understands a message by the first row that fits its channel.
    pub fn take(&self, message: &Message) -> Taken {
        let Some(channel) = &message.channel else {
            return Taken::Refused(Refusal::new(
                Code::BadChannel,
                "the name of its channel is longer than any; a channel's has at most 200 bytes",
            ));
        };
        let found = self.0.iter().find_map(|row| Some((row, row.topic.rest(channel)?)));
        // A subscription that has just been ended may still bring something.
        let Some((row, rest)) = found.filter(|(row, _)| row.topic.glob() == message.pattern) else {
            return Taken::ByAnother;
        };
        let Some(payload) = &message.payload else {
            return Taken::Refused(Refusal::new(
                Code::TooLarge,
                "it is larger than limit.body; publish less, or raise that limit",
            ));
        };
        match row.kind {
            Kind::Laravel => laravel::read(rest, payload)
                .map_or_else(Taken::Refused, |publish| Taken::Publish(row.app, publish)),
            Kind::Portico => match portico::Topic::parse(channel) {
                Some(topic) => Taken::Portico(row.app, topic),
                None => Taken::Refused(Refusal::new(
                    Code::BadChannel,
                    "PorticoEstate has no such channel; it has notifications, session_messages and room_messages",
                )),
            },
        }
    }
}
