//! Why a message is no packet. Whoever sends one speaks another protocol, and its connection ends.

use std::fmt;

/// A breach of the protocol or of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The message does not begin with a type from 0 to 6.
    Type,
    /// A binary packet does not say how many attachments follow.
    AttachmentCount,
    /// More attachments than one packet may have.
    TooManyAttachments,
    /// The attachments of one packet have too many bytes together.
    AttachmentsTooBig,
    /// The attachments did not come in time.
    AttachmentsLate,
    /// An attachment that no packet announced.
    StrayAttachment,
    /// A packet came before the attachments of the one before it.
    MissingAttachment,
    /// A placeholder that names no attachment.
    Placeholder,
    /// A namespace that is too long.
    Namespace,
    /// The number of an acknowledgement that is too large, or stands where none may.
    Id,
    /// An acknowledgement that does not say of what.
    NoId,
    /// The data is not what this type of packet has, or not JSON that everybody can read.
    Data,
    /// An event with a name that clients keep for themselves.
    ReservedName,
    /// A packet that only servers send.
    Direction,
    /// A client wants to come in to where it is.
    EnteredTwice,
    /// Something for a namespace in which the client is not.
    NotEntered,
}

impl Fault {
    /// Every fault, for documentation and tests.
    pub const ALL: [Self; 16] = [
        Self::Type,
        Self::AttachmentCount,
        Self::TooManyAttachments,
        Self::AttachmentsTooBig,
        Self::AttachmentsLate,
        Self::StrayAttachment,
        Self::MissingAttachment,
        Self::Placeholder,
        Self::Namespace,
        Self::Id,
        Self::NoId,
        Self::Data,
        Self::ReservedName,
        Self::Direction,
        Self::EnteredTwice,
        Self::NotEntered,
    ];

    /// The stable code, for logs and counters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Type => "bad_type",
            Self::AttachmentCount => "bad_attachment_count",
            Self::TooManyAttachments => "too_many_attachments",
            Self::AttachmentsTooBig => "attachments_too_big",
            Self::AttachmentsLate => "attachments_late",
            Self::StrayAttachment => "stray_attachment",
            Self::MissingAttachment => "missing_attachment",
            Self::Placeholder => "bad_placeholder",
            Self::Namespace => "bad_namespace",
            Self::Id => "bad_ack_id",
            Self::NoId => "missing_ack_id",
            Self::Data => "bad_data",
            Self::ReservedName => "reserved_name",
            Self::Direction => "bad_direction",
            Self::EnteredTwice => "entered_twice",
            Self::NotEntered => "not_entered",
        }
    }

    /// What was wrong, and what would be right. Short enough for the reason of a close.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Type => "a Socket.IO packet begins with its type, 0 to 6",
            Self::AttachmentCount => {
                "a binary packet begins with its type, a number of attachments and a hyphen"
            }
            Self::TooManyAttachments => "a packet has at most 10 attachments; send several packets",
            Self::AttachmentsTooBig => {
                "the attachments of a packet are too big together; send them over HTTP"
            }
            Self::AttachmentsLate => "the attachments of a packet must follow it at once",
            Self::StrayAttachment => "bytes come behind a packet that announces them",
            Self::MissingAttachment => "the attachments of a packet come before the next packet",
            Self::Placeholder => "a placeholder's num is the place of an attachment, from 0",
            Self::Namespace => "a namespace has at most 200 bytes; use a shorter one",
            Self::Id => "an ack id is a number below 2^53, on events and acks alone",
            Self::NoId => "an ack says which event it is for; send its id",
            Self::Data => "the data does not fit the packet's type, or is no JSON that everybody can read",
            Self::ReservedName => "this event's name is the client's own; choose another",
            Self::Direction => "only a server sends such a packet",
            Self::EnteredTwice => "the client is in this namespace; leave it before you connect anew",
            Self::NotEntered => "connect to a namespace before you send anything in it",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.sentence())
    }
}
