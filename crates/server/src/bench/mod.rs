//! The load generator behind `deskbell bench`: one thread, one event loop, thousands of subscribers.
//!
//! Every payload carries its number and the time it was due, so what is lost, repeated or late is counted and
//! not guessed. It speaks to Deskbell, and to the yardstick in `bench/limit` that tells what the machine gives.

mod dialect;
mod frames;
mod generator;
mod histogram;
mod lane;
mod layout;
mod link;
mod options;
mod phases;
mod process;
mod publisher;
mod report;
mod restart;
mod sequence;
mod stamp;
mod stopwatch;
mod swarm;
mod unchecked;
#[cfg(test)]
mod whole_run;

pub use options::{Dirty, Options, Protocol, Target};
pub use report::Report;

/// Runs one benchmark from the first connection to the last late delivery.
pub fn run(options: Options) -> std::io::Result<Report> {
    options.check()?;
    crate::open_files::raise();
    let mut generator = generator::Generator::new(options)?;
    let idle = phases::connect(&mut generator)?;
    let published = if generator.options.resume {
        Some(restart::run(&mut generator)?)
    } else if generator.options.duration > 0.0 {
        Some(phases::publish(&mut generator)?)
    } else {
        None
    };
    Ok(generator.report(idle, published))
}
