//! A dialect's channel name with one part that the log channel's name takes over.

use crate::ids::ChannelName;
use crate::refusal::{Code, Refusal};

/// How a dialect's name becomes the name of a log channel.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    shown: Parts,
    source: Parts,
}

/// A text around one `{part}`, or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    before: String,
    /// The part's name and what stands behind it.
    part: Option<(String, String)>,
}

impl Shown {
    pub(super) fn parse(shown: &str, source: &str) -> Result<Self, Refusal> {
        let (shown, source) = (Parts::parse(shown)?, Parts::parse(source)?);
        let name = |parts: &Parts| parts.part.as_ref().map(|(name, _)| name.clone());
        if let Some(wanted) = name(&source)
            && name(&shown) != Some(wanted)
        {
            let sentence = "`from` uses a `{part}` that `channel` does not have; write the same in both";
            return Err(Refusal::new(Code::BadField, sentence));
        }
        Ok(Self { shown, source })
    }

    /// How much of a dialect's name is said by the row.
    pub(super) fn exactness(&self) -> usize {
        self.shown.before.len() + self.shown.part.as_ref().map_or(1, |(_, after)| after.len())
    }

    /// The log channel behind a dialect's channel, if it is one of these.
    pub(super) fn source(&self, name: &str) -> Option<ChannelName> {
        let value = match &self.shown.part {
            None => (name == self.shown.before).then_some("")?,
            Some((_, after)) => name.strip_prefix(&*self.shown.before)?.strip_suffix(&**after)?,
        };
        // An empty part names nobody.
        if value.is_empty() && self.shown.part.is_some() {
            return None;
        }
        let text = match &self.source.part {
            None => self.source.before.clone(),
            Some((_, after)) => format!("{}{value}{after}", self.source.before),
        };
        ChannelName::parse(&text).ok()
    }
}

impl Parts {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = |sentence: &'static str| Err(Refusal::new(Code::BadField, sentence));
        let Some((before, rest)) = text.split_once('{') else {
            if text.is_empty() || text.contains('}') {
                return bad("a channel of a projection is a name with one `{part}` at most");
            }
            return Ok(Self { before: text.to_owned(), part: None });
        };
        match rest.split_once('}') {
            Some((name, after))
                if !name.is_empty() && !after.contains(['{', '}']) && !before.contains('}') =>
            {
                Ok(Self { before: before.to_owned(), part: Some((name.to_owned(), after.to_owned())) })
            }
            _ => bad("a channel of a projection is a name with one `{part}` at most"),
        }
    }
}
