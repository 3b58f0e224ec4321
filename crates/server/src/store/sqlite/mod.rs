//! What only the embedded store has: a file with its schema, its checkpoints, and the end of all writing
//! when the disk fails one.

pub(super) mod checkpoint;
pub(super) mod halt;
pub(super) mod save;
pub(super) mod schema;
