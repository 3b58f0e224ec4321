//! Seeded runs of the whole: people, a clock, crashes, and a checker that looks at every answer.
//!
//! A program of its own with one thread: what SQLite takes for random comes from one generator for the whole
//! process, and the same seed must be the same run.

mod seeds;
