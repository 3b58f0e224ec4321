//! What an app agrees to with pages of the AppointEase dialect, and the acts that their WebSockets and its routes share.
//!
//! | part | what |
//! |---|---|
//! | [`Site`] | the terms, and what its pages do at the moment: whom they watch, what they look at |
//! | [`acts`] | locks, and what is free: questions to the ledger |
//! | [`follow`] | what happens in the ledger becomes news for those who watch a slot, and updates for those who poll |
//! | [`notices`] | what the site's backend says of its appointments |
//! | [`updates`] | what those are told who poll |
//! | [`news`] | the channels of that news |
//! | [`persons`] | a person's appointments as the value of a channel |
//! | [`table`] | the site's own table of appointments, read again and again |
//!
//! Nothing here waits: what it is given to call hears the answer on a thread of the store.

pub mod acts;
mod follow;
pub mod news;
pub mod notices;
pub mod persons;
mod site;
pub mod table;
mod updates;

pub use follow::{start, start_one};
pub use site::{Guest, Key, Site, Terms, locked};
pub use updates::Updates;
