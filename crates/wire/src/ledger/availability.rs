//! A question for what is free, and a time that somebody looks at.

use deskbell_core::limits::{self, MINUTE, Millis};
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::Span;
use deskbell_core::vocabulary::{Availability, Slot};

use super::parts::{needed_time, resource};
use crate::native::fields::{Fields, bad_field};

/// Beginnings that one answer tells: a month in quarters of an hour.
pub const MOST_STARTS: u64 = 3_000;

/// Reads the frame.
pub fn availability(fields: &mut Fields<'_>) -> Result<Availability, Refusal> {
    let resource = resource(fields)?;
    let window = Span { start: needed_time(fields, "from")?, end: needed_time(fields, "to")? };
    let units = fields.number("units")?.unwrap_or(1);
    let asked = Availability {
        resource,
        window,
        duration: fields.number("duration")?,
        step: fields.number("step")?,
        units: u32::try_from(units).unwrap_or(u32::MAX),
    };
    self::window(asked)
}

/// Checks a question: its window, and how many beginnings it asks for.
pub fn window(asked: Availability) -> Result<Availability, Refusal> {
    let Span { start, end } = asked.window;
    if end <= start {
        return Err(bad_field("to", "lies before `from`, or at it; ask for a time that lasts"));
    }
    if end - start > limits::SLOTS_WINDOW {
        return Err(bad_field("to", "lies more than 31 days behind `from`; ask for the rest separately"));
    }
    if asked.units == 0 || asked.units > limits::CAPACITY {
        return Err(bad_field("units", "is 1 to 1,000,000"));
    }
    let Some(duration) = asked.duration else {
        return match asked.step {
            None => Ok(asked),
            Some(_) => Err(bad_field("step", "needs `duration`: how long is what begins in these steps?")),
        };
    };
    if duration == 0 || duration > limits::CLAIM_LENGTH {
        return Err(bad_field("duration", "is 1 to 34,560,000,000 milliseconds, which is 400 days"));
    }
    let step: Millis = asked.step.unwrap_or(duration);
    if step == 0 || (end - start) / step > MOST_STARTS {
        let rule =
            format!("gives more than {MOST_STARTS} beginnings; take at least {MINUTE} ms, or less time");
        return Err(bad_field("step", &rule));
    }
    Ok(Availability { step: Some(step), ..asked })
}

/// Reads the time that a selection is of.
pub fn slot(fields: &mut Fields<'_>) -> Result<Slot, Refusal> {
    let resource = resource(fields)?;
    let span = Span { start: needed_time(fields, "start")?, end: needed_time(fields, "end")? };
    if span.end <= span.start || span.length() > limits::CLAIM_LENGTH {
        return Err(bad_field("end", "lies behind `start`, by 400 days at most"));
    }
    Ok(Slot { resource, span })
}
