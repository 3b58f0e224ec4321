//! Who is in which conversation, for whoever decides about access: all of it is in memory.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{ConversationId, UserId};

/// A membership that begins, or ends where there is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// Events of ledger rows up to this one are not for the member.
    pub from_row: Option<u64>,
}

/// All memberships of an app, as the rows say that are committed.
#[derive(Debug, Default)]
pub struct Memberships(HashMap<ConversationId, BTreeMap<UserId, u64>>);

impl Memberships {
    /// Takes a membership in that has begun or ended.
    ///
    /// ```
    /// use deskbell_core::ids::{ConversationId, UserId};
    /// use deskbell_core::post::{Membership, Memberships};
    /// let (conversation, user) = (ConversationId::parse("7")?, UserId::parse("ann")?);
    /// let mut all = Memberships::default();
    /// all.take(Membership { conversation: conversation.clone(), user: user.clone(), from_row: Some(3) });
    /// assert_eq!(all.of_channel("conversation:7", "ann"), Some(3));
    /// assert_eq!(all.of_channel("typing:7", "ann"), Some(3));
    /// assert_eq!(all.of_channel("conversation:8", "ann"), None);
    /// all.take(Membership { conversation, user, from_row: None });
    /// assert_eq!(all.of_channel("conversation:7", "ann"), None);
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn take(&mut self, membership: Membership) {
        let Membership { conversation, user, from_row } = membership;
        match from_row {
            Some(row) => {
                self.0.entry(conversation).or_default().insert(user, row);
            }
            None => {
                let Some(members) = self.0.get_mut(&conversation) else { return };
                members.remove(&user);
                if members.is_empty() {
                    self.0.remove(&conversation);
                }
            }
        }
    }

    /// Is the user in the conversation of this channel? Says after which ledger row it reads.
    pub fn of_channel(&self, channel: &str, user: &str) -> Option<u64> {
        let conversation =
            channel.strip_prefix("conversation:").or_else(|| channel.strip_prefix("typing:"))?;
        self.0.get(conversation)?.get(user).copied()
    }
}
