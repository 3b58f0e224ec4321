//! Inboxes and conversations over a disk that breaks: who asks, what they are answered, and what a list would say.
//!
//! | part | what |
//! |---|---|
//! | `program` | who asks for what |
//! | `naive` | the reference: lists |
//! | `run` | one run: what happens when, and what is compared |
//! | `look` | what pages and conversations show |

mod look;
mod naive;
mod program;
mod run;

pub use run::{Report, STEPS, run};
