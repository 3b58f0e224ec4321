//! People who all want the same few times, a clock, crashes, and the real store in the middle of it.
//!
//! | part | what |
//! |---|---|
//! | `ground` | what the store stands on beside the disk in memory: a database |
//! | `site` | the disk, the data directory, and the process that works there |
//! | `program` | who asks for what |
//! | `run` | one run: what happens when |
//! | `life` | ends and new starts of the process |
//! | `watch` | the log behind the ledger, and somebody who follows it over every crash |

mod ground;
mod life;
mod program;
mod run;
mod site;
mod watch;

pub use ground::{Beside, Ground};
pub use program::{Call, NEWS, Notice, resource, short};
pub use run::{Failed, Report, STEPS, run, run_shared};
pub(crate) use site::Site;
pub use site::{APP, Process};
