//! The ledger's rules: tables, properties, and every short history.

mod book;
mod explorer;
mod held;
mod invariants;
#[path = "../../../../../sim/naive/mod.rs"]
mod naive;
mod play;
mod random;
mod shown;
mod slotted;
mod table;
mod waiting;
