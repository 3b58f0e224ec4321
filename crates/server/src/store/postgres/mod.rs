//! What only the shared store has: a PostgreSQL database that several processes work on at once.
//!
//! | part | what |
//! |---|---|
//! | `session` | a connection that comes back by itself, and what may go wrong with it |
//! | `tls` | the connection over TLS |
//! | `schema` | the way from older databases to this schema |
//! | `lock` | one writer of an app at a time, the database's time, and a commit whose outcome is unknown |
//! | `load`, `save`, `append`, `index` | many keys at once, and one statement for each table of a batch |
//! | `follow` | what other processes wrote: woken by a notification, found by its position |
//! | `attend` | which holders are connected where |
//! | `lease` | what only one of the processes does at a time |
//! | `migrate` | a data file into an empty database |
//! | `notes` | what a clean stop leaves to the next start of this process |

pub(super) mod append;
pub(super) mod attend;
pub(super) mod follow;
pub(super) mod index;
pub(super) mod lease;
pub(super) mod load;
pub(super) mod lock;
pub(super) mod migrate;
pub(super) mod notes;
pub(super) mod save;
pub(super) mod schema;
pub(super) mod session;
mod tls;
