//! What an app agrees to with clients of the Socket.IO dialect, and the forms in which it tells them of events.
//!
//! | file | what |
//! |---|---|
//! | `backend` | what the site's own backend is asked |
//! | `heard` | what a client was shown before, so that it is shown nothing twice |
//! | `packets` | an entry becomes packets, in the words of a manner |
//! | `question` | what a backend asks sockets, and what they answer |
//! | `terms` | namespaces, times and bounds |
//! | `words` | in which words an entry is told in which namespaces; each form has a number |

mod backend;
mod heard;
mod packets;
mod question;
mod terms;
mod words;

pub use backend::{Backend, NotApproved};
pub use heard::{Heard, Shown};
pub use question::{Place, Question, Questions};
pub use terms::{Mount, Terms};
pub use words::{Manner, Shows, Telling, View, Words};
