//! Whether the ledger says one thing everywhere, also while a server works on it.

use std::path::Path;

use super::Finding;
use crate::store::{Failure, Shared, inspect, inspect_shared};

/// What does not fit together, and what is unusual.
pub fn invariants(data: &Path, shared: Option<&Shared>) -> Vec<Finding> {
    let verdict = match shared.map_or_else(|| inspect(data), inspect_shared) {
        Ok(verdict) => verdict,
        Err(Failure::Missing(_)) => return Vec::new(),
        Err(failure @ Failure::Older { .. }) => {
            return vec![Finding::warn(failure.to_string(), "run doctor again after that")];
        }
        Err(failure @ (Failure::Unreachable(_) | Failure::Shared(_))) => {
            let advice = "correct the `ledger` option, or start the database";
            return vec![Finding::fail(failure.to_string(), advice)];
        }
        Err(failure) => {
            let advice = "run doctor as the server's user; if it still fails, restore the last backup";
            return vec![Finding::fail(format!("the ledger cannot be checked: {failure}"), advice)];
        }
    };
    let advice = "keep a copy of the data directory and restore the last backup; then report this";
    let mut findings: Vec<_> =
        verdict.problems.iter().map(|problem| Finding::fail(problem, advice)).collect();
    let advice = "call off or move one of the bookings, if this is not meant so";
    findings.extend(verdict.notes.iter().map(|note| Finding::warn(note, advice)));
    if verdict.problems.is_empty() {
        findings.push(Finding::ok(format!(
            "the ledger is sound: {} changes, {} reservations",
            verdict.rows, verdict.reservations
        )));
    }
    findings
}
