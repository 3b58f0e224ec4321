//! The Redis through which backends publish: does it answer, and may we hear what is published there?

use super::Finding;
use crate::config::Settings;
use crate::redis;
use crate::run::outward;

/// Whether Redis lets us subscribe; nothing, where none is set up.
pub fn answers(settings: &Settings) -> Option<Finding> {
    // Which app is fed makes no difference to Redis.
    let plan = match outward::redis_with(settings, |_| Ok(0)) {
        Ok(plan) => plan?,
        Err(error) => return Some(Finding::fail(error.to_string(), "correct the configuration")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Finding::fail(format!("Redis cannot be asked: {error}"), "try again")),
    };
    let patterns: Vec<&str> = settings.redis.channels.iter().map(|row| row.pattern.as_str()).collect();
    Some(match runtime.block_on(redis::probe(&plan)) {
        Ok(()) => Finding::ok(format!(
            "Redis at {} answers and lets us hear {}",
            plan.place,
            patterns.join(" and ")
        )),
        Err(broken) => {
            Finding::fail(format!("Redis at {} cannot be heard: {broken}", plan.place), broken.advice())
        }
    })
}
